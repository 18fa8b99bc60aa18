"""What a worker has of its cameras: a feed each, and the task that captures it.

One owner of both; one task a camera, so that a failure of one never reaches another. A feed goes on
as long as the assignment does, whatever happens to its session.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Never

import structlog

from ingest_core.errors import Failure
from ingest_core.events import Event
from ingest_core.model import Camera, ConnectedReason
from ingest_worker import capture, push, roster
from ingest_worker.capture import Captured, Open
from ingest_worker.connects import Connects, Line
from ingest_worker.feed import Feed
from ingest_worker.login import Logins
from ingest_worker.metrics import WorkerMetrics
from ingest_worker.push import Push
from ingest_worker.roster import Charge, Idle


@dataclass(frozen=True, slots=True)
class Tools:
    """What every camera of a worker is captured with.

    Attributes:
        worker: Its name.
        incarnation: Start of its process in Unix milliseconds.
        offer: Takes events.
        connects: The budget of sessions that connect at once.
        logins: Reads Secrets.
        executor: Looks at pushed frames.
        metrics: The worker's.
        open: Opens a session with an RTSP camera.
    """

    worker: str
    incarnation: int
    offer: Callable[[Event], None]
    connects: Connects
    logins: Logins
    executor: Executor
    metrics: WorkerMetrics
    open: Open


@dataclass(frozen=True, slots=True)
class Running:
    """A camera that this worker has. `task` is None while it is idle."""

    charge: Charge
    task: asyncio.Task[Never] | None
    nudged: asyncio.Event


class Captures:
    """See the module.

    Args:
        tasks: The parent of every camera's task.
        feeds: By name; written here.
        pushes: Receiving ends by name; written here.
        changed: Called with a camera's name, from any thread, when its state changed.
    """

    def __init__(
        self,
        tasks: asyncio.TaskGroup,
        feeds: dict[str, Feed],
        pushes: dict[str, Push],
        changed: Callable[[str], None],
    ) -> None:
        self._tasks = tasks
        self._feeds = feeds
        self._pushes = pushes
        self._changed = changed
        self._running: dict[str, Running] = {}
        self._lines: dict[str, Line] = {}
        self._ids: dict[str, str] = {}  # of the camera that a line is for, by its name
        self.running: Final[Mapping[str, Running]] = MappingProxyType(self._running)

    async def follow(self, wanted: Mapping[str, Charge], tools: Tools) -> None:
        """Make what runs equal to what is wanted; returns when what had to end has ended."""
        running = {name: one.charge for name, one in self._running.items()}
        difference = roster.diff(wanted, running)
        ending = (*difference.stop, *difference.restart)
        await asyncio.gather(*(self._end(name) for name in ending))
        for name in difference.stop:
            self._feeds[name].disconnected(ConnectedReason.RELEASED, "not this worker's any more")
            del self._feeds[name], self._running[name]
        for name in (*difference.start, *difference.restart):
            self._begin(wanted[name], tools)
        for name in difference.retune:
            self._feeds[name].retune(wanted[name].camera)
        for name in [name for name, line in self._lines.items() if line.free]:
            if name not in wanted:
                del self._lines[name], self._ids[name]
        for name, one in self._running.items():
            if one.charge.camera is not wanted[name].camera:
                self._running[name] = Running(wanted[name], one.task, one.nudged)
                self._changed(name)

    async def stop(self) -> None:
        """End every task and session, and say so."""
        await asyncio.gather(*map(self._end, self._running))
        for feed in self._feeds.values():
            feed.disconnected(ConnectedReason.RELEASED, "the worker stopped")

    def nudge(self, name: str) -> None:
        """The camera or its Secret may have changed."""
        if name in self._running:
            self._running[name].nudged.set()

    def captures(self, camera: Camera) -> bool:
        """Do frames of this very camera come in?"""
        one = self._running.get(camera.name)
        if one is None or one.charge.camera.metadata.uid != camera.metadata.uid:
            return False
        return one.task is not None and self._feeds[camera.name].state.connected

    def when_closed(self, camera: Camera, then: Callable[[], object]) -> bool:
        """Has the last session's thread ended? If not, `then` is called once it has.

        Where another worker follows, so must have that of whichever Camera had the id before; while
        such a one is captured here, its end is not known yet, and comes by the registry.
        """
        assignment, names = camera.status.assignment, {camera.name}
        if assignment is not None and assignment.worker is not None:
            names |= {name for name, id_ in self._ids.items() if id_ == camera.id}
        if any(name in self._running and self._running[name].task is not None for name in names):
            return False
        lines = [self._lines[name] for name in names if name in self._lines]
        return all(line.when_free(then) for line in lines)

    def _begin(self, charge: Charge, tools: Tools) -> None:
        camera = charge.camera
        name = camera.name
        feed = self._feed(camera, tools)
        nudged = asyncio.Event()
        nudged.set()  # to read the Secret first of all
        task: asyncio.Task[Never] | None = None
        if charge.idle is not None:
            _rest(feed, charge.idle)
        else:
            feed.disconnected(ConnectedReason.CONNECTING, "")
            with structlog.contextvars.bound_contextvars(camera=camera.id):
                task = self._tasks.create_task(
                    self._supervisor(charge, feed, nudged, tools), name=f"camera {camera.id}"
                )
        self._running[name] = Running(charge, task, nudged)
        self._changed(name)

    def _feed(self, camera: Camera, tools: Tools) -> Feed:
        """The camera's feed: the old one goes on as long as the assignment does."""
        name = camera.name
        old = self._feeds.get(name)
        if old is not None and old.continues(camera):
            old.retune(camera)
            return old
        if old is not None:
            old.disconnected(ConnectedReason.RELEASED, "another assignment")
        self._feeds[name] = Feed(
            camera,
            worker=tools.worker,
            incarnation=tools.incarnation,
            offer=tools.offer,
            changed=lambda: self._changed(name),
        )
        return self._feeds[name]

    def _supervisor(
        self, charge: Charge, feed: Feed, nudged: asyncio.Event, tools: Tools
    ) -> Coroutine[Any, Any, Never]:
        camera, logins = charge.camera, tools.logins
        rtsp, pushed, decode = camera.spec.source.rtsp, camera.spec.source.push, camera.spec.decode
        if pushed is not None:
            self._pushes[camera.name] = receiver = Push(pushed, feed, tools.executor)
            token = pushed.token_secret_ref
            return push.supervise(receiver, feed, lambda: logins.token(token), nudged)
        assert rtsp is not None  # exactly one source, says the manifest's check
        line = self._line(camera)
        captured = Captured(
            feed=feed,
            read_target=lambda: logins.target(rtsp, decode),
            connects=tools.connects,
            line=line,
            metrics=tools.metrics,
            nudged=nudged,
            open=tools.open,
            fence=charge.fence,
        )
        return capture.supervise(captured)

    def _line(self, camera: Camera) -> Line:
        """Its own; else that of another Camera with its id: they are the same camera.

        An heir may be given to the worker that had the one before, whose end is heard of later.
        """
        others = (self._lines[name] for name, id_ in self._ids.items() if id_ == camera.id)
        line = self._lines.get(camera.name) or next(others, None) or Line()
        self._lines[camera.name], self._ids[camera.name] = line, camera.id
        return line

    async def _end(self, name: str) -> None:
        """Stop capturing a camera; its feed stays."""
        if (receiver := self._pushes.pop(name, None)) is not None:
            receiver.close()
        task = self._running[name].task
        if task is not None:
            task.cancel()
            await asyncio.wait([task])


def _rest(feed: Feed, idle: Idle) -> None:
    """Say why nothing is captured."""
    if idle is Idle.SUSPENDED:
        feed.disconnected(ConnectedReason.SUSPENDED, idle)
    elif idle is Idle.HANDED_OVER:
        feed.disconnected(ConnectedReason.CONNECTING, idle)
    elif feed.state.connected:
        feed.disconnected(Failure.LEASE_EXPIRED, idle)
    elif feed.state.reason is not Failure.LEASE_EXPIRED:  # the session may have said so itself
        feed.disconnected(ConnectedReason.CONNECTING, idle)
