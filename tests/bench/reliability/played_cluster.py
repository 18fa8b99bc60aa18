"""A cluster that is played in virtual time: what scenarios ask of nodes, cameras, events, metrics.

It obeys the rules of the real one as far as the scenarios need them: a lost worker's cameras are
with others after `MOVED` seconds, a killed process is back after `BACK`, a planned move overlaps
where two may read and breaks where they may not. Three workers, one on each of three nodes.
"""

import itertools
import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from signal import Signals
from typing import Any

from bench.reliability import fleet
from bench.reliability.cluster import NotWell
from bench.reliability.heard import Heard
from bench.reliability.result import SessionKind
from bench.reliability.sight import Pod
from ingest_simulator.session import SessionRecord
from tests.bench.reliability.played_clock import PlayedClock

FPS = fleet.FPS
BACK, MOVED, MADE, OVERLAP, BREAK = 2.0, 10.0, 5.0, 0.4, 1.0
REDIS = "10.91.1.99"
_ROUNDING = 1e-6


@dataclass
class PlayedSession:
    client: str
    began: float
    closed: float | None = None
    deaf: float | None = None  # from when on its client received nothing

    @property
    def host(self) -> str:
        return self.client.partition(":")[0]


@dataclass
class PlayedWorker:
    name: str
    node: str
    host: str
    ready: bool = True
    there: bool = True


@dataclass
class PlayedCluster:
    """`Cluster`, `Cameras`, `Ears` and `Meters` at once.

    Attributes:
        heals: Whether what is broken is well again by itself.
        two_readers: A worker that was cut off reads on what others have by then.
        uncounted: Dropped events that no metric tells of.
        said: Every order to Kubernetes, by its first words.
    """

    clock: PlayedClock
    kinds: Mapping[str, SessionKind]
    heals: bool = True
    two_readers: bool = False
    uncounted: int = 0
    said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._numbers = itertools.count(1)
        self._api, self._evens = True, False
        self._pods = Counter({"operator": 2, "redis": 1})
        self._redis_away: list[float] = []
        self._workers = [
            PlayedWorker(f"default-{at}", f"n{at + 1}", self._host()) for at in range(fleet.WORKERS)
        ]
        self._of: dict[str, str] = {}
        self._sessions: dict[str, list[PlayedSession]] = {name: [] for name in self.kinds}
        self._forgot = self.clock.time()
        self._followed = ""
        for number, camera in enumerate(self.kinds):
            self._give(camera, self._workers[number % fleet.WORKERS])
        self.clock.sleep(1.0)

    # Cluster

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        assert stdin is None
        if not self._api:
            raise NotWell("the API server does not answer")
        if arguments[0] == "get":
            return json.dumps({"items": [*self._cameras(), *self._pods_told()]})
        self.said.append(" ".join(arguments[:2]))
        match arguments:
            case ("delete", "pod", name):
                self._replace(self._named(name))
            case ("drain", node, *_):
                self._each(self._on(node), self._leave)
            case ("uncordon", node):
                self._each(self._on(node), self._return)
            case ("patch", *_, patch):
                self._patch(patch)
            case ("scale", "camerapool", _, replicas):
                wanted = int(replicas.partition("=")[2])
                self._each(self._workers[wanted:], self._leave)
                away = [one for one in self._workers[:wanted] if not one.there]
                self._each(away, self._return)
            case ("scale", "deployment", name, replicas):
                self._scale(name.rpartition("-")[2], int(replicas.partition("=")[2]))
            case _:
                assert arguments[:2] == ("rollout", "status"), arguments
        return ""

    def crash(self, node: str) -> None:
        self.partition(node)
        for worker in self._on(node):
            worker.ready = False

    def start(self, node: str) -> None:
        self._each(self._on(node), self._return)

    def partition(self, node: str) -> None:
        self._each(self._on(node), self._lose)

    def heal(self, node: str) -> None:
        for worker in self._on(node):
            for sessions in self._sessions.values():
                for one in [one for one in sessions if one.deaf and one.host == worker.host]:
                    one.closed = self.clock.time()
                    if self.two_readers:
                        sessions.append(self._session(worker))
        self._even_out()

    def kill_in_pod(self, pod: Pod, signal: Signals) -> None:
        assert signal is Signals.SIGKILL
        worker = self._named(pod.name)
        mine = self._cameras_of(worker)
        for camera in mine:
            self._close(camera, worker)

        def back() -> None:
            for camera in mine:
                self._give(camera, worker)

        if self.heals:
            self.clock.after(BACK, back)

    def stop_api_server(self) -> None:
        self._api = False
        for camera in self._exclusive():
            self._close(camera, self._named(self._of[camera]))

    def start_api_server(self) -> None:
        self._api = True
        for camera in self._exclusive():
            self._give(camera, self._named(self._of[camera]))

    # Cameras

    def sessions(self) -> Mapping[str, Sequence[SessionRecord]]:
        return {
            name: [self._record(one) for one in found] for name, found in self._sessions.items()
        }

    # Ears

    def heard(self) -> Mapping[str, Sequence[Heard]]:
        return {name: list(self._told(found)) for name, found in self._sessions.items()}

    def forget(self) -> None:
        self._forgot = self.clock.time()

    def follow(self, host: str) -> None:
        self._followed = host

    @property
    def listening(self) -> bool:
        return self._followed == REDIS and bool(self._pods["redis"])

    # Meters

    def total(self, host: str, metric: str) -> int:
        assert metric == "camera_ingest_events_dropped_total"
        if host != self._workers[0].host:
            return 0
        unheard = (self._unheard(found) for found in self._sessions.values())
        return max(0, sum(map(len, unheard)) - self.uncounted)

    # What happens

    def _each(self, workers: Iterable[PlayedWorker], act: Callable[[PlayedWorker], None]) -> None:
        for worker in workers:
            act(worker)

    def _host(self) -> str:
        return f"10.91.0.{next(self._numbers)}"

    def _session(self, worker: PlayedWorker) -> PlayedSession:
        return PlayedSession(f"{worker.host}:{next(self._numbers)}", self.clock.time())

    def _give(self, camera: str, worker: PlayedWorker) -> None:
        self._of[camera] = worker.name
        self._sessions[camera].append(self._session(worker))

    def _close(self, camera: str, worker: PlayedWorker) -> None:
        for one in self._sessions[camera]:
            if one.host == worker.host and one.closed is None and one.deaf is None:
                one.closed = self.clock.time()

    def _move(self, camera: str, to: PlayedWorker) -> None:
        source = self._named(self._of[camera])
        host = source.host

        def close() -> None:
            self._close(camera, PlayedWorker(source.name, source.node, host))

        if self.kinds[camera] == "Shared":
            self._give(camera, to)
            self.clock.after(OVERLAP, close)
        else:
            self._of[camera] = to.name
            close()
            self.clock.after(BREAK, lambda: self._give(camera, to))

    def _leave(self, worker: PlayedWorker) -> None:
        worker.ready = worker.there = False
        for camera in self._cameras_of(worker):
            self._move(camera, self._least_loaded())

    def _replace(self, worker: PlayedWorker) -> None:
        self._leave(worker)
        self._return(worker)

    def _return(self, worker: PlayedWorker) -> None:
        def back() -> None:
            worker.host = self._host()
            worker.ready = worker.there = True
            self._even_out()

        self.clock.after(MADE, back)

    def _lose(self, worker: PlayedWorker) -> None:
        now, lost = self.clock.time(), self._cameras_of(worker)
        for camera in lost:
            for one in self._sessions[camera]:
                if one.host == worker.host and one.closed is None:
                    one.deaf = now

        def move() -> None:
            for camera in lost:
                self._give(camera, self._least_loaded(besides=worker))

        if self.heals:
            self.clock.after(MOVED, move)

    def _even_out(self) -> None:
        while self._evens:
            loads = {one.name: len(self._cameras_of(one)) for one in self._workers if one.ready}
            most = max(loads, key=lambda name: loads[name])
            least = min(loads, key=lambda name: loads[name])
            if loads[most] - loads[least] <= 1:
                return
            self._move(self._cameras_of(self._named(most))[0], self._named(least))

    def _patch(self, patch: str) -> None:
        if patch == fleet.leads(to_redis=True):
            self._redis_away.append(self.clock.time())
        elif "rebalance" in patch:
            self._evens = patch == fleet.rebalance(on=True)
            self._even_out()
        elif "podAnnotations" in patch:
            for number, worker in enumerate(self._workers):
                self.clock.after(2 * MADE * number, partial(self._replace, worker))

    def _scale(self, component: str, replicas: int) -> None:
        self._pods[component] = replicas
        if component == "redis" and not replicas:
            self._redis_away.append(self.clock.time())

    # What is

    def _named(self, name: str) -> PlayedWorker:
        return next(one for one in self._workers if one.name == name)

    def _on(self, node: str) -> list[PlayedWorker]:
        return [one for one in self._workers if one.node == node]

    def _cameras_of(self, worker: PlayedWorker) -> list[str]:
        return [camera for camera, name in self._of.items() if name == worker.name]

    def _least_loaded(self, besides: PlayedWorker | None = None) -> PlayedWorker:
        ready = [one for one in self._workers if one.ready and one is not besides]
        return min(ready, key=lambda one: len(self._cameras_of(one)))

    def _exclusive(self) -> list[str]:
        return [camera for camera, kind in self.kinds.items() if kind == "Exclusive"]

    def _cameras(self) -> Iterator[dict[str, Any]]:
        for camera, worker in self._of.items():
            host = self._named(worker).host
            captured = any(
                one.host == host and one.closed is None and one.deaf is None
                for one in self._sessions[camera]
            )
            yield {
                "kind": "Camera",
                "metadata": {"name": camera, "uid": camera},
                "spec": {},
                "status": {
                    "assignment": {"worker": worker, "epoch": 1},
                    "stream": {"worker": worker, "epoch": 1, "connectedTime": "t"},
                    "conditions": [{"type": "Ready", "status": str(captured)}],
                },
            }

    def _pods_told(self) -> Iterator[dict[str, Any]]:
        for one in self._workers:
            if one.there:
                yield _pod(one.name, "worker", one.host, one.node, ready=one.ready)
        for component, replicas in self._pods.items():
            for number in range(replicas):
                yield _pod(f"{component}-{number}", component, REDIS, "n1", ready=True)

    def _record(self, one: PlayedSession) -> SessionRecord:
        until = one.closed if one.closed is not None else self.clock.time()
        frames = math.floor((until - one.began) * FPS + _ROUNDING)
        return SessionRecord(
            number=1,
            client=one.client,
            opened=one.began,
            transport="tcp",
            playing=one.began,
            closed=one.closed,
            end=None,
            frames=frames + 1,
            first_frame=one.began,
            last_frame=one.began + frames / FPS,
        )

    def _told(self, sessions: Sequence[PlayedSession]) -> list[Heard]:
        told = set(self._numbered(sessions)) - set(self._unheard(sessions))
        return [one for one in told if (one.captured or 0.0) >= self._forgot]

    def _unheard(self, sessions: Sequence[PlayedSession]) -> list[Heard]:
        """Of what was numbered, that of an outage of Redis."""
        away = [*self._redis_away, math.inf][:2]
        return [
            one
            for one in self._numbered(sessions)
            if self._redis_away and away[0] <= (one.captured or 0.0) < away[1]
        ]

    def _numbered(self, sessions: Sequence[PlayedSession]) -> Iterator[Heard]:
        for epoch, one in enumerate(sessions):
            ends = [at for at in (one.closed, one.deaf, self.clock.time()) if at is not None]
            for number in range(math.floor((min(ends) - one.began) * FPS + _ROUNDING) + 1):
                yield Heard(one.host, epoch, number, one.began + number / FPS)


def _pod(name: str, component: str, host: str, node: str, *, ready: bool) -> dict[str, Any]:
    return {
        "kind": "Pod",
        "metadata": {
            "name": name,
            "uid": f"{name} at {host}",
            "labels": {"app.kubernetes.io/component": component},
        },
        "spec": {"nodeName": node},
        "status": {"podIP": host, "conditions": [{"type": "Ready", "status": str(ready)}]},
    }
