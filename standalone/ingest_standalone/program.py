"""The whole data plane as one process: registry, worker and gateway around one Redis.

Only the registry and the missing hop differ from Kubernetes: the gateway asks the worker by a call.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog
from aiohttp import web
from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector

from ingest_core.errors import FrameUnavailable, NotCaptured
from ingest_core.http import Listen, parse_listen, serve
from ingest_core.live import Live
from ingest_core.model import Camera
from ingest_core.signals import stop_of_signals
from ingest_gateway.app import make_app
from ingest_standalone.directory import DirectoryRegistry
from ingest_standalone.embedded_redis import EmbeddedRedis
from ingest_standalone.settings import StandaloneSettings
from ingest_worker import process
from ingest_worker.outlet import outlet, publishing
from ingest_worker.worker import Worker

log: structlog.stdlib.BoundLogger = structlog.get_logger()

WORKER = "standalone"


class LocalWorkers:
    """The gateway's way to the one worker: a call, no hop."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    async def answer(self, request: web.Request, camera: Camera, tail: str) -> web.StreamResponse:
        """Let the worker answer; one that has not begun with the camera yet is a moment away."""
        try:
            return await self._worker.api.answer(request, camera, tail)
        except NotCaptured:
            raise FrameUnavailable("the worker has not begun with this camera yet", 1) from None

    async def live(self, cameras: Sequence[Camera]) -> Mapping[str, Live]:
        """What is known now, by id."""
        return self._worker.live(cameras)


@dataclass(frozen=True, slots=True)
class Running:
    """A standalone program that serves: where, and the parts that its user may look at."""

    addresses: tuple[Listen, ...]
    registry: DirectoryRegistry
    worker: Worker


@asynccontextmanager
async def running(
    settings: StandaloneSettings, *, otherwise: Listen | None = None
) -> AsyncIterator[Running]:
    """Run everything until the block ends, then let go of it in the order of its flow.

    Args:
        settings: What it is told.
        otherwise: Where to listen if the address of the settings cannot be had.

    Raises:
        RegistryInUse: Another process has the directory.
        RegistryUnavailable: The directory cannot be read or written.
        InvalidRedisUrl, EmbeddedRedisFailed: There is no way to a Redis.
        ValueError: The address to listen on is none.
        CannotListen: It is taken, or none of this machine's.
        ExceptionGroup: A part of it failed while it ran.
    """
    listen = parse_listen(settings.listen)
    process.prepare()
    metrics = CollectorRegistry()
    ProcessCollector(registry=metrics)
    PlatformCollector(registry=metrics)
    async with (
        DirectoryRegistry(Path(settings.cameras), WORKER, exposition=metrics) as registry,
        _redis(settings.redis_url) as redis_url,
    ):
        events = outlet(redis_url, metrics)
        async with asyncio.TaskGroup() as tasks, publishing(events, tasks) as offer:
            watching = tasks.create_task(registry.run(), name="registry")
            worker = Worker(WORKER, registry, settings, offer=offer, metrics=metrics, tasks=tasks)
            try:
                worker.start()
                app = make_app(
                    registry,
                    LocalWorkers(worker),
                    metrics,
                    ready=lambda: worker.ready,
                    local=listen.local,
                )
                async with serve(app, listen, otherwise=otherwise) as addresses:
                    yield Running(addresses, registry, worker)
            finally:
                await worker.stop()
                watching.cancel()


async def run(settings: StandaloneSettings) -> None:
    """The program: until a signal says so, or a part of it fails. Raises as `running`."""
    stop = stop_of_signals()
    async with running(settings) as program:
        log.info(
            "standalone_started",
            listen=[str(address) for address in program.addresses],
            cameras=len(program.registry.cameras),
            directory=settings.cameras,
        )
        await stop.wait()
        log.info("standalone_stopping")


@asynccontextmanager
async def _redis(given: str | None) -> AsyncIterator[str]:
    """The URL of the Redis that is given, or of one of our own while the block lasts."""
    if given is not None:
        yield given
        return
    async with EmbeddedRedis() as embedded:
        log.info("redis_embedded", url=embedded)
        yield embedded
