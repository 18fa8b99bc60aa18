"""An installation that is played in virtual time, in which one thing at a time goes wrong."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from bench.reliability import fleet
from bench.reliability.cluster import NotWell
from bench.reliability.result import SessionKind
from bench.soak.run import Site
from ingest_core import metrics, names
from ingest_simulator.faults import Fault
from ingest_simulator.session import SessionRecord
from tests.bench.reliability.played_clock import PlayedClock
from tests.cluster.footprint import Footprint

CAMERAS: Final = ("a", "b", "c")  # of which `a` is always well
GATEWAY, WORKER, REDIS = PODS = ("gateway", "default-0", "redis")
HOSTS: Final = {GATEWAY: "10.91.0.1", WORKER: "10.91.0.2", REDIS: "10.91.0.3"}
SHARED: Final[SessionKind] = "Shared"
_BYTES: Final = 100_000_000
_INFO: Final = json.dumps({"level": "info", "event": "begun"})


@dataclass
class PlayedSite:
    """`Kubernetes`, `Cameras`, `Meters` and `Kernel` at once.

    Attributes:
        logs: Of pods, line by line.
        restarts: Of pods.
        uids: Of the pods that are there.
        leaks: Bytes by which pods grow in a second.
        held: Threads and descriptors that a program holds beside what it always does.
        living: Sessions of each camera.
        ended: When the well camera's session did, if it did; another one begins a second later.
        untaken: Frames of the well camera that are in no ring.
        counted: Of a metric of the well camera or of its worker, beside what is always so.
        faulty: 1 while a camera has a fault.
        filled: Hosts whose streams were filled.
        deaf: Kubernetes answers nobody.
        unseen: UIDs of pods of which the kernel tells nothing.
    """

    clock: PlayedClock = field(default_factory=PlayedClock)
    logs: dict[str, list[str]] = field(
        default_factory=lambda: {pod: [_INFO] for pod in (GATEWAY, WORKER)}
    )
    restarts: Counter[str] = field(default_factory=Counter)
    uids: dict[str, str] = field(default_factory=lambda: {pod: pod for pod in PODS})
    leaks: Counter[str] = field(default_factory=Counter)
    held: int = 0
    living: int = 1
    ended: float | None = None
    untaken: int = 0
    counted: Counter[str] = field(default_factory=Counter)
    faulty: Counter[str] = field(default_factory=Counter)
    filled: list[str] = field(default_factory=list)
    deaf: bool = False
    unseen: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._began = self.clock.time()
        self.clock.sleep(1.0)

    def site(self) -> Site:
        kinds = dict.fromkeys(CAMERAS, SHARED)
        return Site(self, self, self, self, self.clock, kinds, self.filled.append)

    # Kubernetes

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        assert stdin is None
        if self.deaf:
            raise NotWell("nobody answers")
        match arguments:
            case ("logs", pod):
                return "\n".join(self.logs[pod])
            case ("get", "pods", "--selector", _, *_):
                return self._pods([pod for pod in self.uids if pod != REDIS])
            case ("get", *_):
                return self._pods(list(self.uids))
        raise AssertionError(arguments)

    def _pods(self, pods: Sequence[str]) -> str:
        return json.dumps({"items": [self._pod(pod) for pod in pods]})

    def _pod(self, pod: str) -> dict[str, Any]:
        component = {WORKER: names.WORKER}.get(pod, pod)
        return {
            "kind": "Pod",
            "metadata": {
                "name": pod,
                "uid": self.uids[pod],
                "labels": {names.LABEL_COMPONENT: component},
            },
            "spec": {},
            "status": {
                "podIP": HOSTS[pod],
                "containerStatuses": [{"restartCount": self.restarts[pod]}],
            },
        }

    # Cameras

    def sessions(self) -> Mapping[str, Sequence[SessionRecord]]:
        return {name: self._sessions(name) for name in CAMERAS}

    def _sessions(self, name: str) -> Sequence[SessionRecord]:
        ended = self.ended if name == CAMERAS[0] else None
        first = self._record(1, self._began, ended)
        again = [self._record(2, ended + 1, None)] if ended is not None else []
        return [first, *again, *[self._record(3, self._began, None)] * (self.living - 1)]

    def _record(self, number: int, began: float, ended: float | None) -> SessionRecord:
        until = self.clock.time() if ended is None else ended
        return SessionRecord(
            number=number,
            client=f"{HOSTS[WORKER]}:{number}",
            opened=began,
            transport="tcp",
            playing=began,
            closed=ended,
            end=None,
            frames=round((until - began) * fleet.FPS),
            first_frame=began,
            last_frame=until,
        )

    def fault(self, camera: str, fault: Fault | None) -> None:
        self.faulty[camera] += 1 if fault else -1

    def cut(self, camera: str) -> None:
        assert self.faulty[camera]

    # Meters

    def total(self, host: str, metric: str) -> int:
        assert host == HOSTS[WORKER]
        held = len(CAMERAS) if metric == metrics.WORKER_SESSIONS.name else 0
        return held + self.counted[metric]

    def by_camera(self, host: str, metric: str) -> Mapping[str, int]:
        assert host == HOSTS[WORKER]
        if metric != metrics.CAMERA_FRAMES.name:
            return {CAMERAS[0]: self.counted[metric]}
        sent = {name: sum(one.frames for one in self._sessions(name)) for name in CAMERAS}
        return {**sent, CAMERAS[0]: sent[CAMERAS[0]] - self.untaken}

    # Kernel

    def memory(self, uid: str) -> int | None:
        grown = round(self.leaks[uid] * (self.clock.time() - self._began))
        return _BYTES + grown if self._is_seen(uid) else None

    def cpu(self, uid: str) -> float | None:
        return self.clock.time() if self._is_seen(uid) else None

    def holds(self, uid: str) -> Footprint | None:
        if not self._is_seen(uid):
            return None
        return Footprint(0, 100.0, 10 + self.held, 10 + self.held)

    def _is_seen(self, uid: str) -> bool:
        return uid in self.uids.values() and uid not in self.unseen
