"""One soak: cameras misbehave by a course, everything is watched, and all is judged at the end."""

import time
from collections import Counter, deque
from collections.abc import Callable
from datetime import UTC, datetime
from random import Random
from typing import Final

from bench.reliability import fleet, truth
from bench.reliability.cluster import NotWell
from bench.reliability.real import Fleet
from bench.reliability.stage import look
from bench.reliability.truth import Window
from bench.soak import outcome, past
from bench.soak.course import Act, course, victims
from bench.soak.memory import Curve
from bench.soak.outcome import Outcome
from bench.soak.pods import Pods
from tests.cluster.footprint import grown

HEAL_SECONDS: Final = 180.0  # a camera that was not found is asked again after a minute
WARM_SECONDS: Final = 1200.0  # a shorter soak tells nothing of growth: its programs warm up
_LOOKS: Final = 200  # at memory, at least; but no more than one a second
_LOOK_SECONDS: Final = (1.0, 5.0)
_LOG_SECONDS: Final = 60.0
_PAUSE: Final = 0.1

Tell = Callable[[str], None]


class Soak:
    """Make it when the installation is there; `run` once."""

    def __init__(self, found: Fleet, minutes: float, seed: int, tell: Tell) -> None:
        self._fleet = found
        self._seconds = minutes * 60
        self._seed = seed
        self._tell = tell
        self._course = course([*found.kinds], self._seconds, Random(seed))
        self._broken: list[str] = []

    def run(self, machine: str) -> Outcome:
        """Everything, in its order; what did not hold is in the outcome."""
        self._until_received()
        self._fill_stream()
        pods = Pods(self._fleet.cluster)
        before = pods.footprints()
        curves, window = self._misbehave(pods)
        self._until_received()
        for name, held in pods.footprints().items():
            self._broken += grown(name, before[name], held)
        self._broken += pods.changes()
        self._broken += pods.grave_lines()
        if self._seconds >= WARM_SECONDS:
            self._broken += outcome.growth(curves)
        sessions = self._fleet.cameras.sessions()
        self._broken += outcome.leaks(sessions, self._fleet.kinds, time.time())
        harmed = victims([*self._fleet.kinds])
        unharmed = sorted(self._fleet.kinds.keys() - set(harmed))
        self._broken += outcome.losses(sessions, unharmed, window, fleet.FPS)
        faults = [act.fault for act in self._course if act.fault is not None]
        return Outcome(
            date=f"{datetime.now(UTC):%Y-%m-%d}",
            machine=machine,
            minutes=self._seconds / 60,
            seed=self._seed,
            faults=Counter(sorted(f"{one.kind} {one.status or ''}".strip() for one in faults)),
            cut=sum(act.cut for act in self._course),
            sessions=sum(map(len, sessions.values())),
            unharmed=len(unharmed),
            curves=tuple(curves),
            broken=tuple(dict.fromkeys(self._broken)),
        )

    def _fill_stream(self) -> None:
        """Raises NotWell where there is no Redis."""
        found = look(self._fleet.cluster).redis
        if found is None or found.host is None:
            raise NotWell("Redis has no address")
        past.fill(found.host)

    def _misbehave(self, pods: Pods) -> tuple[list[Curve], Window]:
        """The course, and what each pod held meanwhile."""
        least, most = _LOOK_SECONDS
        every = min(max(self._seconds / _LOOKS, least), most)
        held: dict[str, list[int]] = {name: [] for name in pods.names}
        acts = deque(self._course)
        began, wall, used = time.monotonic(), time.time(), pods.cpu()
        look = log = 0.0
        while (now := time.monotonic() - began) < self._seconds:
            while acts and acts[0].at <= now:
                self._do(acts.popleft())
            if now >= look:
                look += every
                for name, size in pods.memory().items():
                    held[name].append(size)
            if now >= log:
                log += _LOG_SECONDS
                self._broken += pods.grave_lines()
                self._tell(f"{now / 60:4.0f} min, {len(self._broken)} rules broken")
            time.sleep(_PAUSE)
        for act in acts:  # what became due in the last moment
            self._do(act)
        cores = {name: (cpu - used[name]) / self._seconds for name, cpu in pods.cpu().items()}
        curves = [Curve(name, tuple(sizes), cores[name]) for name, sizes in held.items()]
        return curves, Window(wall, time.time())

    def _do(self, act: Act) -> None:
        cameras = self._fleet.cameras
        cameras.fault(act.camera, act.fault)
        if act.cut:
            cameras.cut(act.camera)

    def _until_received(self) -> None:
        """Every camera's frames are; what does not come in time is a broken rule."""
        deadline = time.monotonic() + HEAL_SECONDS
        while silent := self._silent():
            if time.monotonic() > deadline:
                self._broken.append(silent)
                return
            time.sleep(1)

    def _silent(self) -> str:
        now = time.time()
        return truth.silent(self._fleet.cameras.sessions(), (), now)
