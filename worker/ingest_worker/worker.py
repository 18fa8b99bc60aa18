"""The worker: captures the cameras that are assigned to it, and nothing else.

Level-triggered: whatever the registry tells or fails to tell, what runs is made equal to what is
assigned. One task a camera; a failure of one never reaches another.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from prometheus_client import CollectorRegistry

from ingest_core import metrics as catalogue
from ingest_core.events import Event
from ingest_core.live import Live
from ingest_core.model import Camera, Stream
from ingest_core.registry import WorkerRegistry
from ingest_worker import drops, handover, lag
from ingest_worker.api import FrameApi
from ingest_worker.capture import Open
from ingest_worker.captures import Captures, Tools
from ingest_worker.connects import Connects
from ingest_worker.feed import Feed, State
from ingest_worker.handover import Duty
from ingest_worker.login import Logins
from ingest_worker.metrics import WorkerMetrics
from ingest_worker.push import Push
from ingest_worker.renderer import Renderer
from ingest_worker.report import Reporter
from ingest_worker.roster import Charge, Idle
from ingest_worker.rtsp import Session
from ingest_worker.settings import WorkerSettings
from ingest_worker.tenure import Tenure, Term
from ingest_worker.yielding import Yielding


def _nobody(_camera: Camera, _stream: Stream, _state: State) -> None:
    pass


class Worker:
    """See the module. Made on the event loop; its tasks are children of the given group.

    Args:
        name: As assignments name it.
        registry: What is assigned, and where to report.
        settings: What it is told.
        offer: Takes events; never blocks.
        metrics: Where its metrics are registered.
        tasks: The parent of its tasks.
        incarnation: Start of its process in Unix milliseconds; not given: now.
        term: The term of its Lease; None: it has none, and needs none for Exclusive cameras.
        settle: Seconds for which a term must have lasted before such a camera is captured.
        told: Told of a camera whose report of being connected, or no more, was written.
        open_: Opens a session with an RTSP camera.
    """

    def __init__(
        self,
        name: str,
        registry: WorkerRegistry,
        settings: WorkerSettings,
        *,
        offer: Callable[[Event], None],
        metrics: CollectorRegistry,
        tasks: asyncio.TaskGroup,
        incarnation: int | None = None,
        term: Callable[[], Term] | None = None,
        settle: float = 0.0,
        told: Callable[[Camera, Stream, State], None] = _nobody,
        open_: Open = Session,
    ) -> None:
        self._name = name
        self._registry = registry
        self._tasks = tasks
        self._loop = asyncio.get_running_loop()
        self._executor = ThreadPoolExecutor(settings.render_threads, "render")
        self._decoding = ThreadPoolExecutor(1, "older frames")
        self._logins = Logins(registry)
        self._own: list[asyncio.Task[Any]] = []
        self._feeds: dict[str, Feed] = {}
        self._pushes: dict[str, Push] = {}
        self._ids: dict[str, str] = {}  # of the cameras that it has: id → name
        self._look_again = asyncio.Event()
        self._yielding = Yielding(self._look_again.set)
        self.ready = False  # has it begun with the cameras that it has?
        self.relieved = asyncio.Event()  # it has no camera, and owes no answer about one
        self.relieved.set()
        self._metrics = WorkerMetrics(metrics, self._feeds.values)
        self._tools = Tools(
            worker=name,
            incarnation=incarnation or time.time_ns() // 1_000_000,
            offer=offer,
            connects=Connects(settings.connects),
            logins=self._logins,
            executor=self._executor,
            metrics=self._metrics,
            open=open_,
        )
        self._captures = Captures(tasks, self._feeds, self._pushes, self._changed)
        self._tenure = (
            None
            if term is None
            else Tenure(
                term,
                settle,
                refresh=registry.refresh,
                changed=self._look_again.set,
                now=self._loop.time,
            )
        )
        self._reporter = Reporter(
            registry,
            name,
            self._reported,
            told=told,
            results=catalogue.REPORTS.counter(metrics),
        )
        renderer = Renderer(self._executor, self._decoding, self._metrics.render)
        self.api = FrameApi(self._feeds, self._pushes, renderer)

    def start(self) -> None:
        """Begin to follow the registry, as tasks of the group."""
        parts = {
            "assignments": self._follow(),
            "roster": self._keep(),
            "reporter": self._reporter.run(),
            "loop lag": lag.watch(self._metrics.loop_lag),
            "drops": drops.tell(self._feeds.values),
        }
        if self._tenure is not None:
            parts["tenure"] = self._tenure.run()
        self._own = [self._tasks.create_task(part, name=name) for name, part in parts.items()]

    async def stop(self) -> None:
        """End every task and session, say so, and let go of everything."""
        for task in self._own:
            task.cancel()
        if self._own:
            await asyncio.wait(self._own)
        self._yielding.stop()
        await self._captures.stop()
        for executor in (self._executor, self._decoding):
            executor.shutdown(cancel_futures=True)
        self._logins.close()

    def camera(self, camera_id: str) -> Camera | None:
        """The camera of this id, if this worker has it; of several, the oldest."""
        one = self._captures.running.get(self._ids.get(camera_id, ""))
        return None if one is None else one.charge.camera

    def live(self, cameras: Iterable[Camera]) -> Mapping[str, Live]:
        """What is known now of those of the cameras that this worker has, by id."""
        feeds = (self._feeds.get(camera.name) for camera in cameras)
        return {feed.camera_id: feed.live() for feed in feeds if feed is not None}

    def live_all(self) -> list[Live]:
        """The same of every camera that it has."""
        return [feed.live() for feed in self._feeds.values()]

    def _reported(self) -> Mapping[str, tuple[Camera, Feed]]:
        """What may be reported: a camera that is yielded is the next worker's to speak of."""
        return {
            name: (one.charge.camera, self._feeds[name])
            for name, one in self._captures.running.items()
            if name not in self._yielding
        }

    def _changed(self, name: str) -> None:
        """Note, from any thread, that the state of a camera's feed changed."""
        self._reporter.changed(name)
        if name in self._yielding:
            self._loop.call_soon_threadsafe(self._look_again.set)

    async def _follow(self) -> None:
        async with self._registry.changes() as changes:
            async for changed in changes:
                for name in changed:
                    self._captures.nudge(name)
                    if (camera := self._registry.cameras.get(name)) is not None:
                        self._reporter.seen(camera)
                self._look_again.set()

    async def _keep(self) -> None:
        """Make what runs equal to what is assigned, again and again."""
        while True:
            await self._look_again.wait()
            self._look_again.clear()
            if self._registry.synced:
                await self._apply()
                self.ready = True

    async def _apply(self) -> None:
        charges: dict[str, Charge] = {}
        yielded: list[Camera] = []
        releases: list[Camera] = []
        for name, camera in self._registry.cameras.items():
            captured = self._captures.captures(camera)
            seconds = self._yielding.seconds(camera)
            match handover.duty(camera, self._name, captured=captured, yielding_for=seconds):
                case Duty.CAPTURE:
                    charges[name] = self._charge(camera)
                case Duty.WAIT:
                    charges[name] = Charge(camera, Idle.HANDED_OVER)
                case Duty.YIELD:
                    charges[name] = self._captures.running[name].charge
                    yielded.append(camera)
                case Duty.RELEASE:
                    releases.append(camera)
        self._yielding.are(yielded)
        cameras = [charge.camera for charge in charges.values()]
        by_age = sorted(cameras, key=lambda camera: camera.metadata.seniority, reverse=True)
        self._ids = {camera.id: camera.name for camera in by_age}
        await self._captures.follow(charges, self._tools)
        for camera in releases:
            self._release(camera)
        if charges or releases:
            self.relieved.clear()
        else:
            self.relieved.set()

    def _charge(self, camera: Camera) -> Charge:
        """How a camera is to be had that nobody else has."""
        if camera.spec.suspend:
            return Charge(camera, Idle.SUSPENDED)
        if self._tenure is None or not handover.is_exclusive(camera):
            return Charge(camera)
        fence = self._tenure.fence
        return Charge(camera, Idle.UNFENCED) if fence is None else Charge(camera, fence=fence)

    def _release(self, camera: Camera) -> None:
        """Say that it was let go of: of an Exclusive one, when its last session has ended.

        That may be one of another process of this name; `tenure` tells when it cannot be any more.
        """
        closed = self._captures.when_closed(camera, self._look_again.set)
        alone = self._tenure is None or self._tenure.alone
        if (closed and alone) or not handover.is_exclusive(camera):
            self._reporter.release(camera)
