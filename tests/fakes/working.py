"""A worker that runs over a registry in memory, whose assignments a test writes as an operator."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from msgspec.structs import replace
from prometheus_client import CollectorRegistry

from ingest_core.events import Event, FrameIngested
from ingest_core.live import Live
from ingest_core.model import (
    Assignment,
    Camera,
    CameraSpec,
    CameraStatus,
    Motion,
    PushSource,
    Source,
    Stream,
)
from ingest_worker.capture import Open
from ingest_worker.feed import Feed
from ingest_worker.rtsp import Session
from ingest_worker.settings import WorkerSettings
from ingest_worker.tenure import Term
from ingest_worker.worker import Worker
from tests.fakes import footage
from tests.fakes.memory_registry import MemoryRegistry

ME = "standalone"
SPEC = CameraSpec(source=Source(push=PushSource()), motion=Motion(enabled=False))


class Registry(MemoryRegistry):
    """Notes, with their times, which epochs were let go of, and looks that it was asked for.

    `unheard` is what only such a look finds.
    """

    def __init__(self) -> None:
        super().__init__()
        self.released: list[tuple[float, int]] = []
        self.refreshed = 0
        self.unheard: Callable[[], None] = lambda: None

    def assign(
        self, name: str, worker: str | None, epoch: int, previous: str | None = None
    ) -> None:
        assignment = Assignment(worker=worker, epoch=epoch, previous=previous)
        self._write_status(name, assignment=assignment)

    def say(self, name: str, stream: Stream) -> None:
        """Write what another worker sees."""
        self._write_status(name, stream=stream)

    async def release(self, camera: Camera) -> None:
        self.released.append((asyncio.get_running_loop().time(), camera.epoch))
        stream = self.cameras[camera.name].status.stream or Stream()
        self.say(camera.name, replace(stream, released_epoch=camera.epoch))

    async def refresh(self) -> None:
        self.refreshed += 1
        self.unheard()

    def _write_status(self, name: str, **changes: Any) -> None:
        camera = self.cameras[name]
        status: CameraStatus = replace(camera.status, **changes)
        self._roll._put(replace(camera, status=status))
        self._changes.tell({name})


class Working:
    """A worker that runs, and what it tells."""

    def __init__(
        self,
        tasks: asyncio.TaskGroup,
        open_: Open = Session,
        term: Callable[[], Term] | None = None,
        settle: float = 0.0,
    ) -> None:
        self.registry = Registry()
        self.events: list[Event] = []
        self.exposition = CollectorRegistry()
        self.worker = Worker(
            ME,
            self.registry,
            WorkerSettings(render_threads=1),
            offer=self.events.append,
            metrics=self.exposition,
            tasks=tasks,
            open_=open_,
            term=term,
            settle=settle,
        )

    async def add(self, name: str = "door", spec: CameraSpec = SPEC, **secret: str) -> Camera:
        camera = await self.registry.create(name, spec, secret)
        await settled()
        return camera

    async def edit(self, name: str = "door", **changes: Any) -> None:
        spec = replace(self.registry.cameras[name].spec, **changes)
        await self.registry.replace(name, spec, None)
        await settled()

    def push(self, name: str = "door", bearer: str | None = None) -> int:
        """Push a frame; its number."""
        receiver = self.worker._pushes[name]
        receiver.admit(bearer)
        return receiver.take(footage.jpeg(), None)

    def feed(self, name: str = "door") -> Feed:
        return self.worker._feeds[name]

    def has(self, name: str = "door") -> bool:
        return name in self.worker._feeds

    def live(self, name: str = "door") -> Live | None:
        return self.worker.live(self.registry.cameras.values()).get(name)

    def stream(self, name: str = "door") -> Stream | None:
        return self.registry.cameras[name].status.stream

    def types(self, name: str = "door") -> list[str]:
        return [event.type for event in self.events if event.subject == name]

    def frames(self) -> list[tuple[int, float]]:
        """Epoch and time of each frame."""
        return [
            (event.epoch, event.data.timestamp)
            for event in self.events
            if isinstance(event.data, FrameIngested)
        ]

    def exposed(self, name: str = "door") -> float | None:
        return self.exposition.get_sample_value("camera_ingest_camera_up", {"camera": name})

    def ready(self, name: str = "door") -> tuple[str, str]:
        conditions = {one.type: one for one in self.registry.cameras[name].status.conditions}
        return conditions["Ready"].status, conditions["Ready"].reason


async def settled() -> None:
    """Long enough for every debounce, in virtual time."""
    await asyncio.sleep(2)


@asynccontextmanager
async def working(
    open_: Open = Session, term: Callable[[], Term] | None = None, settle: float = 0.0
) -> AsyncIterator[Working]:
    async with asyncio.TaskGroup() as tasks:
        one = Working(tasks, open_, term, settle)
        one.worker.start()
        try:
            yield one
        finally:
            await one.worker.stop()
