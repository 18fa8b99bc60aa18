"""One camera under `supervise`, as a worker has it, and everything that was seen of it."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import structlog
from prometheus_client import CollectorRegistry

from ingest_core.credentials import Credentials
from ingest_core.errors import Failure
from ingest_core.events import Event, FrameIngested
from ingest_core.model import (
    Assignment,
    Camera,
    CameraSpec,
    CameraStatus,
    Decode,
    Metadata,
    Motion,
    RtspSource,
    Source,
)
from ingest_worker.capture import Captured, Open, supervise
from ingest_worker.connects import Connects, Line
from ingest_worker.deadline import OPEN, Fence
from ingest_worker.feed import Feed, State
from ingest_worker.metrics import WorkerMetrics
from ingest_worker.rtsp import Session, Target


class CapturedCamera:
    """See the module. `target` and `draw` may be changed while it runs.

    Attributes:
        states: Every state with its time, monotonic.
        opened: When each session began, monotonic.
        events: Every event.
        arrivals: Unix seconds at which each frame was told.
    """

    def __init__(
        self,
        url: str,
        *,
        name: str = "cam",
        transport: str = "TCP",
        credentials: Credentials | None = None,
        ca_file: str | None = None,
        verify: bool = True,
        connect_seconds: float = 5.0,
        stall_seconds: int = 1,
        decode: Decode = Decode.ALL,
        motion: bool = False,
        draw: float = 0.0,
        open_: Open = Session,
        fence: Fence = OPEN,
        offer: Callable[[Event], None] = lambda _: None,
    ) -> None:
        self.name = name
        self.draw = draw
        self.target = Target(
            url=url,
            transport=transport,
            credentials=credentials,
            ca_file=ca_file,
            verify=verify,
            connect_seconds=connect_seconds,
            decode=decode,
        )
        self.states: list[tuple[float, State]] = []
        self.opened: list[float] = []
        self.events: list[Event] = []
        self.arrivals: list[float] = []
        self.metrics = WorkerMetrics(CollectorRegistry(), lambda: (self.feed,))
        self._open = open_
        self._fence = fence
        self._pass_on = offer
        self._nudged = asyncio.Event()
        self._news = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        source = RtspSource(url="rtsp://unused/", stall_timeout_seconds=stall_seconds)
        spec = CameraSpec(source=Source(rtsp=source), motion=Motion(enabled=motion))
        status = CameraStatus(assignment=Assignment(worker="w", epoch=1))
        self.feed = Feed(
            Camera(metadata=Metadata(name=name), spec=spec, status=status),
            worker="w",
            incarnation=1,
            offer=self._offer,
            changed=self._changed,
        )

    async def run(self, connects: Connects) -> None:
        """Capture until cancelled."""
        with structlog.contextvars.bound_contextvars(camera=self.name):
            await supervise(
                Captured(
                    feed=self.feed,
                    read_target=self._target,
                    connects=connects,
                    line=Line(),
                    metrics=self.metrics,
                    nudged=self._nudged,
                    open=self._began,
                    fence=self._fence,
                    draw=lambda: self.draw,
                )
            )

    async def until(self, holds: Callable[[], bool], seconds: float = 40) -> None:
        """Wait until something holds; asked again at every state and event."""
        async with asyncio.timeout(seconds):
            while not holds():
                self._news.clear()
                await self._news.wait()

    async def connected(self) -> None:
        await self.until(lambda: self.feed.state.connected)

    async def failed(self, times: int = 1) -> State:
        """The state after it failed so often."""
        await self.until(lambda: len(self.failures) >= times)
        return self.failures[times - 1][1]

    async def frames(self, count: int) -> None:
        """Wait until so many frames have come."""
        await self.until(lambda: self.feed.frames >= count)

    def forget(self) -> None:
        """Let go of what was seen."""
        for seen in (self.states, self.opened, self.events, self.arrivals):
            seen.clear()

    def nudge(self) -> None:
        self._nudged.set()

    @property
    def failures(self) -> list[tuple[float, State]]:
        """States that a failure made, with their times."""
        return [(at, state) for at, state in self.states if isinstance(state.reason, Failure)]

    @property
    def ingested(self) -> list[FrameIngested]:
        """Every frame, in the order of their coming."""
        facts = [event.data for event in tuple(self.events)]
        return [fact for fact in facts if isinstance(fact, FrameIngested)]

    async def _target(self) -> Target:
        return self.target

    def _began(self, *arguments: Any, **callbacks: Any) -> Any:
        session = self._open(*arguments, **callbacks)
        self.opened.append(time.monotonic())
        self._wake()
        return session

    def _offer(self, event: Event) -> None:
        self.events.append(event)
        if isinstance(event.data, FrameIngested):
            self.arrivals.append(time.time())
        self._pass_on(event)
        self._wake()

    def _changed(self) -> None:
        if hasattr(self, "feed"):
            self.states.append((time.monotonic(), self.feed.state))
            self._wake()

    def _wake(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._news.set)


@asynccontextmanager
async def capturing(*cameras: CapturedCamera) -> AsyncIterator[None]:
    """Capture these cameras, as one worker would, while the block lasts."""
    connects = Connects()
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(camera.run(connects)) for camera in cameras]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()


async def eventually(holds: Callable[[], bool], seconds: float = 30) -> None:
    """Wait for something that says nothing when it happens."""
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0.005)
