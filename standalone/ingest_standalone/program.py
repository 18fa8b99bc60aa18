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
from ingest_core.events import Event
from ingest_core.http import Listen, parse_listen, serve
from ingest_core.live import Live
from ingest_core.model import Camera
from ingest_core.signals import stop_of_signals
from ingest_gateway.app import make_app
from ingest_standalone.directory import DirectoryRegistry
from ingest_standalone.embedded_redis import EmbeddedRedis
from ingest_standalone.settings import NO_REDIS, StandaloneSettings
from ingest_worker import process
from ingest_worker.publish import publisher
from ingest_worker.publisher import Publisher
from ingest_worker.redis_url import parse
from ingest_worker.worker import Worker

log: structlog.stdlib.BoundLogger = structlog.get_logger()

WORKER = "standalone"
_DRAIN_SECONDS = 2.0


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
        _publisher(settings.redis_url, metrics) as events,
        asyncio.TaskGroup() as tasks,
    ):
        watching = tasks.create_task(registry.run(), name="registry")
        publishing = tasks.create_task(events.run(), name="publisher") if events else None
        worker = Worker(
            WORKER,
            registry,
            settings,
            offer=events.offer if events else _nowhere,
            metrics=metrics,
            tasks=tasks,
        )
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
            if events and publishing:
                await events.drain(_DRAIN_SECONDS)
                publishing.cancel()
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
async def _publisher(
    redis_url: str | None, metrics: CollectorRegistry
) -> AsyncIterator[Publisher | None]:
    if redis_url == NO_REDIS:
        yield None
    elif redis_url is not None:
        yield publisher(redis_url, registry=metrics, server=_server(redis_url))
    else:
        async with EmbeddedRedis() as embedded:
            log.info("redis_embedded", url=embedded)
            yield publisher(embedded, registry=metrics, server=_server(embedded))


def _server(url: str) -> str:
    """Which Redis a URL names, without the login. Raises InvalidRedisUrl."""
    target = parse(url)
    hosts = ",".join(str(Listen(host, port)) for host, port in target.addresses)
    service = f"/{target.service}" if target.service else ""
    return target.path or f"{hosts}{service}/{target.database}"


def _nowhere(_: Event) -> None:
    """Take an event that nobody wants."""
