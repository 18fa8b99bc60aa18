"""A worker as the operator sees it: Leases, sessions and reports, decided as real workers decide.

One step at a time, by a clock of the test: its Lease, its watch of Cameras and what follows from
that come each when the test says so. So anything may happen in between.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from ingest_core import lenient, names
from ingest_core.errors import ApiRefused
from ingest_core.kube.client import APPLY, Call
from ingest_core.kube.lease import FENCE
from ingest_core.kube.resources import CAMERAS
from ingest_core.model import Camera
from ingest_worker.handover import Duty, duty, is_exclusive, may_report
from tests.fakes.memory_api import MemoryServer, put_lease

DURATION: Final = 10
RENEW: Final = 3
_NEVER: Final = float("-inf")


@dataclass
class Session:
    """A connection to a camera, under an assignment and in one term of the Lease."""

    epoch: int
    exclusive: bool
    term: int


@dataclass
class ModelledWorker:
    """Owner of its sessions, by the uid of their Camera.

    Attributes:
        alive: Does its process run?
        frozen: Does it run, and do nothing? It does not know how long for.
        draining: Does it ask to be relieved?
    """

    name: str
    server: MemoryServer
    now: Callable[[], float]
    alive: bool = False
    frozen: bool = False
    draining: bool = False
    sessions: dict[str, Session] = field(default_factory=dict)
    _starts: int = 0
    _term: int = 0
    _since: float = _NEVER
    _until: float = _NEVER
    _due: float = _NEVER
    _settled: bool = False  # has this term lasted, and was everything read anew since?
    _view: dict[str, Camera] = field(default_factory=dict)
    _yielding: dict[tuple[str, int], float] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        """Is it the holder of its Lease, for all that it knows?"""
        return self.now() < self._until

    @property
    def acts(self) -> bool:
        return self.alive and not self.frozen

    def has(self, uid: str) -> bool:
        """Does it bring frames of a camera, or could it at any moment?

        The term is the fence of an Exclusive session: when it is over, so is the session, even if
        the process is frozen, and also once the Lease is renewed after all.
        """
        session = self.sessions.get(uid)
        if session is None or not self.alive:
            return False
        return not session.exclusive or (session.term == self._term and self.holds)

    def start(self) -> None:
        """A new process of the same name."""
        self._forget()
        self._starts += 1
        self.alive, self.frozen, self.draining = True, False, False
        self._settled, self._until, self._due = False, _NEVER, self.now()
        self.beat()

    def kill(self) -> None:
        self._forget()
        self.alive = self.frozen = False

    def stop(self) -> None:
        """End in good order: everything is closed, and the Lease is let go of."""
        if self.acts:
            self.kill()
            put_lease(self.server, self.name, self.now(), holder=None, draining=self.draining)

    def drain(self) -> None:
        if self.acts:
            self.draining, self._due = True, self.now()
            self.beat()

    def beat(self) -> None:
        """Renew the Lease when it is time."""
        if not self.acts or self.now() < self._due:
            return
        if not self.holds:
            self._term += 1
            self._since, self._settled = self.now(), False
        self._until = self.now() + FENCE * DURATION
        self._due = self.now() + RENEW
        put_lease(
            self.server,
            self.name,
            self.now(),
            holder=f"{self.name}_{self._starts}",
            draining=self.draining,
            duration=DURATION,
        )

    def look(self) -> None:
        """The watch of Cameras tells what is."""
        if not self.acts:
            return
        every = (lenient.convert(raw, Camera) for raw in self.server.every(CAMERAS))
        self._view = {one.name: one for one in every if self._concerns(one)}
        if self.holds and self.now() >= self._since + RENEW:
            self._settled = True

    def act(self) -> None:
        """Do what the view asks for."""
        if not self.acts:
            return
        for uid in self.sessions.keys() - {one.metadata.uid for one in self._view.values()}:
            del self.sessions[uid]
        for camera in list(self._view.values()):
            self._serve(camera)

    def _forget(self) -> None:
        self.sessions.clear()
        self._view.clear()
        self._yielding.clear()

    def _concerns(self, camera: Camera) -> bool:
        assignment = camera.status.assignment
        return assignment is not None and self.name in (assignment.worker, assignment.previous)

    def _serve(self, camera: Camera) -> None:
        uid, epoch = camera.metadata.uid, camera.epoch
        began = self._yielding.setdefault((uid, epoch), self.now())
        captured = uid in self.sessions and self.sessions[uid].epoch < epoch
        asked = duty(camera, self.name, captured=captured, yielding_for=self.now() - began)
        if asked is Duty.CAPTURE:
            self._capture(camera)
        elif asked is not Duty.YIELD:
            self.sessions.pop(uid, None)
        if asked is Duty.RELEASE:
            self._report(camera, {"releasedEpoch": epoch}, names.RELEASE_MANAGER)

    def _capture(self, camera: Camera) -> None:
        uid, exclusive = camera.metadata.uid, is_exclusive(camera)
        if exclusive and not (self._settled and self.holds):
            self.sessions.pop(uid, None)
            return
        self.sessions[uid] = Session(camera.epoch, exclusive, self._term)
        if may_report(camera, self.name, connected=True):
            stream = {"worker": self.name, "epoch": camera.epoch, "connectedTime": "t"}
            self._report(camera, stream, names.WORKER_MANAGER)

    def _report(self, camera: Camera, stream: dict[str, Any], manager: str) -> None:
        body = {"metadata": {"uid": camera.metadata.uid}, "status": {"stream": stream}}
        query = {"fieldManager": manager, "force": "true"}
        call = Call("patch", CAMERAS, camera.name, "status", query, body, content_type=APPLY)
        try:
            self.server.do(call)
        except ApiRefused:
            return  # it is another one by now: the next look tells
