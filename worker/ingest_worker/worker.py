"""The worker: captures the cameras that are assigned to it, and nothing else.

Level-triggered: whatever the registry tells or fails to tell, what runs is made equal to what is
assigned. One task a camera; a failure of one never reaches another.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Never

import structlog
from prometheus_client import CollectorRegistry

from ingest_core.events import Event
from ingest_core.live import Live
from ingest_core.model import Camera, ConnectedReason
from ingest_core.registry import WorkerRegistry
from ingest_worker import capture, drops, lag, push, roster
from ingest_worker.api import FrameApi
from ingest_worker.capture import Captured
from ingest_worker.connects import Connects, Line
from ingest_worker.feed import Feed
from ingest_worker.login import Logins
from ingest_worker.metrics import WorkerMetrics
from ingest_worker.push import Push
from ingest_worker.renderer import Renderer
from ingest_worker.report import Reporter
from ingest_worker.settings import WorkerSettings


@dataclass(frozen=True, slots=True)
class Running:
    """A camera that this worker has. `task` is None while it is suspended."""

    camera: Camera
    task: asyncio.Task[Never] | None
    nudged: asyncio.Event


class Worker:
    """See the module. Made on the event loop; its tasks are children of the given group."""

    def __init__(
        self,
        name: str,
        registry: WorkerRegistry,
        settings: WorkerSettings,
        *,
        offer: Callable[[Event], None],
        metrics: CollectorRegistry,
        tasks: asyncio.TaskGroup,
    ) -> None:
        self._name = name
        self._incarnation = time.time_ns() // 1_000_000
        self._registry = registry
        self._offer = offer
        self._tasks = tasks
        self._executor = ThreadPoolExecutor(settings.render_threads, "render")
        self._decoding = ThreadPoolExecutor(1, "older frames")
        self._connects = Connects(settings.connects)
        self._logins = Logins(registry)
        self._own: list[asyncio.Task[Any]] = []
        self._running: dict[str, Running] = {}
        self._feeds: dict[str, Feed] = {}
        self._pushes: dict[str, Push] = {}
        self._lines: dict[str, Line] = {}
        self.ready = False  # has it begun with the cameras that it has?
        self._metrics = WorkerMetrics(metrics, self._feeds.values)
        self._reporter = Reporter(registry, name, self._captured)
        renderer = Renderer(self._executor, self._decoding, self._metrics.render)
        self.api = FrameApi(self._feeds, self._pushes, renderer)

    def start(self) -> None:
        """Begin to follow the registry, as tasks of the group."""
        self._own = [
            self._tasks.create_task(self._follow(), name="roster"),
            self._tasks.create_task(self._reporter.run(), name="reporter"),
            self._tasks.create_task(lag.watch(self._metrics.loop_lag), name="loop lag"),
            self._tasks.create_task(drops.tell(self._feeds.values), name="drops"),
        ]

    async def stop(self) -> None:
        """End every task and session, say so, and let go of everything."""
        for task in self._own:
            task.cancel()
        if self._own:
            await asyncio.wait(self._own)
        await asyncio.gather(*map(self._end, self._running))
        for feed in self._feeds.values():
            feed.disconnected(ConnectedReason.RELEASED, "the worker stopped")
        for executor in (self._executor, self._decoding):
            executor.shutdown(cancel_futures=True)
        self._logins.close()

    def live(self, cameras: Iterable[Camera]) -> Mapping[str, Live]:
        """What is known now of those of the cameras that this worker has, by id."""
        feeds = (self._feeds.get(camera.name) for camera in cameras)
        return {feed.camera_id: feed.live() for feed in feeds if feed is not None}

    def _captured(self) -> Mapping[str, tuple[Camera, Feed]]:
        return {name: (one.camera, self._feeds[name]) for name, one in self._running.items()}

    async def _follow(self) -> None:
        async with self._registry.changes() as changes:
            async for changed in changes:
                for name in changed & self._running.keys():
                    self._running[name].nudged.set()
                await self._apply()
                self.ready = True

    async def _apply(self) -> None:
        """Make what runs equal to what is assigned."""
        wanted = {
            name: camera
            for name, camera in self._registry.cameras.items()
            if camera.status.assignment and camera.status.assignment.worker == self._name
        }
        running = {name: one.camera for name, one in self._running.items()}
        difference = roster.diff(wanted, running)
        ending = (*difference.stop, *difference.restart)
        await asyncio.gather(*(self._end(name) for name in ending))
        for name in difference.stop:
            self._feeds[name].disconnected(ConnectedReason.RELEASED, "not this worker's any more")
            del self._feeds[name], self._running[name]
        for name in (*difference.start, *difference.restart):
            self._begin(wanted[name])
        for name in difference.retune:
            self._feeds[name].retune(wanted[name])
        for name in [name for name, line in self._lines.items() if line.free]:
            if name not in wanted:
                del self._lines[name]
        for name, one in self._running.items():
            if one.camera is not wanted[name]:
                self._running[name] = Running(wanted[name], one.task, one.nudged)

    def _begin(self, camera: Camera) -> None:
        name = camera.name
        feed = self._feed(camera)
        nudged = asyncio.Event()
        nudged.set()  # to read the Secret first of all
        task: asyncio.Task[Never] | None = None
        if camera.spec.suspend:
            feed.disconnected(ConnectedReason.SUSPENDED, "spec.suspend is true")
        else:
            feed.disconnected(ConnectedReason.CONNECTING, "")
            with structlog.contextvars.bound_contextvars(camera=camera.id):
                task = self._tasks.create_task(
                    self._supervisor(camera, feed, nudged), name=f"camera {camera.id}"
                )
        self._running[name] = Running(camera, task, nudged)
        self._reporter.changed(name)

    def _feed(self, camera: Camera) -> Feed:
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
            worker=self._name,
            incarnation=self._incarnation,
            offer=self._offer,
            changed=lambda: self._reporter.changed(name),
        )
        return self._feeds[name]

    def _supervisor(
        self, camera: Camera, feed: Feed, nudged: asyncio.Event
    ) -> Coroutine[Any, Any, Never]:
        rtsp, pushed, decode = camera.spec.source.rtsp, camera.spec.source.push, camera.spec.decode
        if pushed is not None:
            self._pushes[camera.name] = receiver = Push(pushed, feed, self._executor)
            token = pushed.token_secret_ref
            return push.supervise(receiver, feed, lambda: self._logins.token(token), nudged)
        assert rtsp is not None  # exactly one source, says the manifest's check
        captured = Captured(
            feed=feed,
            read_target=lambda: self._logins.target(rtsp, decode),
            connects=self._connects,
            line=self._lines.setdefault(camera.name, Line()),
            metrics=self._metrics,
            nudged=nudged,
        )
        return capture.supervise(captured)

    async def _end(self, name: str) -> None:
        """Stop capturing a camera; its feed stays."""
        if (receiver := self._pushes.pop(name, None)) is not None:
            receiver.close()
        task = self._running[name].task
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
