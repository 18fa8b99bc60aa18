"""The gateway as a program on Kubernetes: two watches, a proxy and the front door.

With the API server gone it serves on from what it knows.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog
from aiohttp import hdrs, web
from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector

from ingest_core.http import Listen, parse_listen, serve
from ingest_core.kube import access
from ingest_core.kube.called import counted
from ingest_core.kube.client import Api
from ingest_core.kube.informer import Informer
from ingest_core.kube.pods import WORKERS, Pod
from ingest_core.kube.resources import PODS
from ingest_core.signals import Stop
from ingest_gateway.app import make_app
from ingest_gateway.kube_registry import KubeRegistry
from ingest_gateway.proxy import Proxy
from ingest_gateway.settings import GatewaySettings
from ingest_gateway.worker_client import WorkerClient

log: structlog.stdlib.BoundLogger = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Running:
    """A gateway that serves: where, and what it knows. Set `draining` to be left alone."""

    addresses: tuple[Listen, ...]
    registry: KubeRegistry
    pods: Informer[Pod]
    draining: asyncio.Event


@asynccontextmanager
async def running(settings: GatewaySettings) -> AsyncIterator[Running]:
    """Run everything until the block ends.

    Raises:
        ApiUnavailable: There is no way to an API server, not even one that is away.
        ValueError: The address to listen on is none.
        CannotListen: It is taken, or none of this machine's.
        ExceptionGroup: A part of it failed while it ran.
    """
    listen = parse_listen(settings.listen)
    metrics = CollectorRegistry()
    ProcessCollector(registry=metrics)
    PlatformCollector(registry=metrics)
    draining = asyncio.Event()
    found = await access.load(settings.kubeconfig)
    async with Api(found, settings.namespace, called=counted(metrics)) as api:
        registry = KubeRegistry(api)
        pods = Informer(api, PODS, Pod, {"labelSelector": WORKERS})

        def address(worker: str) -> tuple[str, int] | None:
            pod = pods.objects.get(worker)
            return None if pod is None else pod.address()

        async with (
            WorkerClient(address, settings.worker_timeout_seconds, metrics) as client,
            asyncio.TaskGroup() as tasks,
        ):
            watching = [
                tasks.create_task(registry.run(), name="cameras"),
                tasks.create_task(pods.run(), name="pods"),
            ]
            app = make_app(
                registry,
                Proxy(registry, registry.look_up, client),
                metrics,
                ready=lambda: pods.synced and not draining.is_set(),
                local=listen.local,
                unready="the workers have not been read yet, or the gateway is about to end",
            )

            async def leave(_request: web.Request, response: web.StreamResponse) -> None:
                """A client that keeps its connection would be here until the very end."""
                if draining.is_set():
                    response.force_close()
                    response.headers[hdrs.CONNECTION] = "close"

            app.on_response_prepare.append(leave)
            try:
                async with serve(app, listen) as addresses:
                    yield Running(addresses, registry, pods, draining)
            finally:
                for task in watching:
                    task.cancel()


async def run(settings: GatewaySettings) -> None:
    """The program: until a signal says so, or a part of it fails. Raises as `running`."""
    stop = Stop()
    async with running(settings) as program:
        log.info(
            "gateway_started",
            listen=[str(address) for address in program.addresses],
            namespace=program.registry.namespace,
        )
        await stop.asked.wait()
        log.info("gateway_draining", seconds=settings.drain_seconds)
        program.draining.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(settings.drain_seconds):
                await stop.insisted.wait()
        log.info("gateway_stopping")
