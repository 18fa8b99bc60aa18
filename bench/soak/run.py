"""One soak: cameras misbehave by a course, everything is watched, and all is judged at the end."""

from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Final, Protocol, TypeVar

from bench.reliability import fleet, truth
from bench.reliability.cluster import Clock, Kubernetes, NotWell
from bench.reliability.result import SessionKind
from bench.reliability.stage import look
from bench.reliability.truth import Window
from bench.soak import outcome
from bench.soak.course import Act, course, victims
from bench.soak.memory import Curve
from bench.soak.outcome import Count, Outcome
from bench.soak.pods import Kernel, Pods
from ingest_core import metrics
from ingest_simulator.faults import Fault
from ingest_simulator.session import SessionRecord
from tests.cluster.footprint import grown

HEAL_SECONDS: Final = 180.0  # a camera that was not found is asked again after a minute
WARM_SECONDS: Final = 1200.0  # a shorter soak tells nothing of growth: its programs warm up
MORE: Final = 6  # threads or descriptors: of a program's own pools
_LOOKS: Final = 200  # at memory, at least; but no more than one a second
_LOOK_SECONDS: Final = (1.0, 5.0)
_LOG_SECONDS: Final = 60.0
_PAUSE: Final = 0.1

T = TypeVar("T")
Tell = Callable[[str], None]


class Cameras(Protocol):
    """The simulator, as its control API has it."""

    def sessions(self) -> Mapping[str, Sequence[SessionRecord]]:
        """Of every camera, all up to now."""

    def fault(self, camera: str, fault: Fault | None, /) -> None:
        """From now on it has this one; None: none."""

    def cut(self, camera: str, /) -> None:
        """End its sessions."""


class Meters(Protocol):
    """Metrics, read from a pod itself. Raises NotWell."""

    def total(self, host: str, metric: str, /) -> int: ...

    def by_camera(self, host: str, metric: str, /) -> Mapping[str, int]: ...


@dataclass(frozen=True, slots=True)
class Site:
    """Where a soak is made.

    Attributes:
        kinds: Every camera, and how many may read it.
        fill: Given the host of Redis, fills its stream of events.
    """

    cluster: Kubernetes
    cameras: Cameras
    meters: Meters
    kernel: Kernel
    clock: Clock
    kinds: Mapping[str, SessionKind]
    fill: Callable[[str], None]


class Soak:
    """Make it when the installation is there; `run` once."""

    def __init__(self, site: Site, minutes: float, seed: int, tell: Tell) -> None:
        self._site = site
        self._seconds = minutes * 60
        self._seed = seed
        self._tell = tell
        self._course = course([*site.kinds], self._seconds, Random(seed))
        self._unharmed = sorted(site.kinds.keys() - set(victims([*site.kinds])))
        self._broken: list[str] = []

    def run(self, machine: str) -> Outcome:
        """Everything, in its order; what did not hold is in the outcome.

        Raises:
            NotWell: There is no installation to begin with.
        """
        self._until_even()
        self._site.fill(self._redis())
        pods = Pods(self._site.cluster, self._site.kernel)
        held, counted = pods.footprints(), self._count()
        curves, window = self._misbehave(pods)
        self._ask(self._until_even)
        after = pods.footprints()
        for name in held.keys() & after.keys():
            self._broken += grown(name, held[name], after[name], MORE)
        self._look(pods)
        measured = held.keys() & after.keys() & {curve.pod for curve in curves}
        self._broken += (f"{name} is not measured" for name in pods.names if name not in measured)
        self._broken += pods.unread()
        if self._seconds >= WARM_SECONDS:
            self._broken += outcome.growth(curves)
        sessions = self._site.cameras.sessions()
        count = (self._ask(lambda: self._count(sessions)) or counted).since(counted)
        self._broken += outcome.leaks(sessions, self._site.kinds, self._site.clock.time())
        self._broken += outcome.losses(sessions, self._unharmed, window, fleet.FPS)
        self._broken += outcome.shortfalls(count, self._unharmed, fleet.FPS)
        faults = [act.fault for act in self._course if act.fault is not None]
        return Outcome(
            date=f"{datetime.now(UTC):%Y-%m-%d}",
            machine=machine,
            minutes=self._seconds / 60,
            seed=self._seed,
            faults=Counter(sorted(f"{one.kind} {one.status or ''}".strip() for one in faults)),
            cut=sum(act.cut for act in self._course),
            sessions=sum(map(len, sessions.values())),
            unharmed=len(self._unharmed),
            sent=sum(count.sent[name] for name in self._unharmed),
            taken=sum(count.taken.get(name, 0) for name in self._unharmed),
            lines=pods.lines,
            curves=tuple(curves),
            broken=tuple(dict.fromkeys(self._broken)),
        )

    def _redis(self) -> str:
        found = look(self._site.cluster).redis
        if found is None or found.host is None:
            raise NotWell("Redis has no address")
        return found.host

    def _misbehave(self, pods: Pods) -> tuple[list[Curve], Window]:
        """The course, and what each pod held meanwhile."""
        clock = self._site.clock
        least, most = _LOOK_SECONDS
        every = min(max(self._seconds / _LOOKS, least), most)
        held: dict[str, list[int]] = {name: [] for name in pods.names}
        acts = deque(self._course)
        began, used = clock.time(), pods.cpu()
        look = log = 0.0
        while (now := clock.time() - began) < self._seconds:
            while acts and acts[0].at <= now:
                self._do(acts.popleft())
            if now >= look:
                look += every
                for name, size in pods.memory().items():
                    held[name].append(size)
            if now >= log:
                log += _LOG_SECONDS
                self._look(pods)
                self._tell(f"{now / 60:4.0f} min, {len(self._broken)} rules broken")
            clock.sleep(_PAUSE)
        for act in acts:  # what became due in the last moment
            self._do(act)
        cores = {name: (cpu - used[name]) / self._seconds for name, cpu in pods.cpu().items()}
        looks = max(map(len, held.values()))
        curves = [
            Curve(name, tuple(sizes), cores[name])
            for name, sizes in held.items()
            if len(sizes) == looks and name in cores
        ]
        return curves, Window(began, clock.time())

    def _do(self, act: Act) -> None:
        cameras = self._site.cameras
        cameras.fault(act.camera, act.fault)
        if act.cut:
            cameras.cut(act.camera)

    def _look(self, pods: Pods) -> None:
        """Hold the pods to their rules."""
        self._broken += self._ask(lambda: [*pods.changes(), *pods.grave_lines()]) or ()

    def _ask(self, question: Callable[[], T]) -> T | None:
        """The answer; who does not give one has broken a rule, and ends nothing."""
        try:
            return question()
        except NotWell as error:
            self._broken.append(str(error))
            return None

    def _until_even(self) -> None:
        """Each camera is received in one session; what does not come in time is a broken rule."""
        clock = self._site.clock
        deadline = clock.time() + HEAL_SECONDS
        while lacking := self._lacking():
            if clock.time() > deadline:
                self._broken.append(lacking)
                return
            clock.sleep(1)

    def _lacking(self) -> str:
        site = self._site
        if silent := truth.silent(site.cameras.sessions(), (), site.clock.time()):
            return silent
        held = self._total(metrics.WORKER_SESSIONS)
        cameras = len(site.kinds)
        return "" if held == cameras else f"workers hold {held} sessions of {cameras} cameras"

    def _count(self, sessions: Mapping[str, Sequence[SessionRecord]] | None = None) -> Count:
        """Frames that were sent, then those that were taken, or the other way round.

        Without sessions it begins a time, of which as few as can be are then sent; with them it
        ends one, in which as many as can be are taken: what is on its way is not taken for lost.
        """
        taken = self._by_camera(metrics.CAMERA_FRAMES)
        sent = self._site.cameras.sessions() if sessions is None else sessions
        return Count(
            sent={name: sum(one.frames for one in every) for name, every in sent.items()},
            taken=taken,
            spoilt=self._by_camera(metrics.CAMERA_DROPS)
            + self._by_camera(metrics.CAMERA_DECODE_ERRORS),
            dropped_events=self._total(metrics.EVENTS_DROPPED),
        )

    def _by_camera(self, metric: metrics.Metric) -> Counter[str]:
        found: Counter[str] = Counter()
        for host in self._workers():
            found.update(self._site.meters.by_camera(host, metric.name))
        return found

    def _total(self, metric: metrics.Metric) -> int:
        return sum(self._site.meters.total(host, metric.name) for host in self._workers())

    def _workers(self) -> list[str]:
        return [one.host for one in look(self._site.cluster).workers if one.host]
