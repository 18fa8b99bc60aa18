"""The worker as a program on Kubernetes: it holds its Lease, and captures what is assigned to it.

Nothing is captured before its Lease is held: another process of the same name would capture it,
too. With the API server away afterwards it goes on; only Exclusive cameras end with the Lease.
"""

import asyncio
import contextlib
import time
from pathlib import Path
from typing import Final

import structlog
from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector

from ingest_core import metrics, names
from ingest_core.http import parse_listen, serve
from ingest_core.kube import access as kube_access
from ingest_core.kube.called import counted
from ingest_core.kube.client import Api
from ingest_core.kube.events import Recorder
from ingest_core.kube.lease import LeaseHolder
from ingest_core.signals import Stop
from ingest_worker import process
from ingest_worker.assigned import AssignedCameras
from ingest_worker.http_app import make_app
from ingest_worker.kube_registry import KubeWorkerRegistry
from ingest_worker.notices import noticing
from ingest_worker.outlet import outlet, publishing
from ingest_worker.settings import ClusterWorkerSettings
from ingest_worker.worker import Worker

_RELEASE_SECONDS: Final = 2.0

log: structlog.stdlib.BoundLogger = structlog.get_logger()


async def run(settings: ClusterWorkerSettings) -> None:
    """Run until a signal says so, or a part of it fails.

    Raises:
        ApiUnavailable: There is no way to an API server at the start.
        InvalidRedisUrl: There is none to a Redis.
        ValueError: The address to listen on is none.
        ExceptionGroup: A part failed while it ran: CannotListen, LeaseLost.
    """
    stop = Stop()
    process.prepare()
    structlog.contextvars.bind_contextvars(worker=settings.worker)
    access = await kube_access.load(settings.kubeconfig)
    exposition = CollectorRegistry()
    ProcessCollector(registry=exposition)
    PlatformCollector(registry=exposition)
    async with Api(access, settings.namespace, counted(exposition)) as api:
        await Program(settings, api, exposition, stop).run()


class Program:
    """The parts, wired."""

    def __init__(
        self,
        settings: ClusterWorkerSettings,
        api: Api,
        exposition: CollectorRegistry,
        stop: Stop,
    ) -> None:
        self._settings = settings
        self._exposition = exposition
        self._stop = stop
        self._events = outlet(settings.redis_url, exposition)
        self._incarnation = time.time_ns() // 1_000_000
        own = f"{settings.worker}_"
        pod = f"{own}{settings.pod_uid}_" if settings.pod_uid else None
        self._lease = LeaseHolder(
            api,
            settings.worker,
            f"{pod or own}{self._incarnation}",
            duration=settings.lease_duration_seconds,
            renew=settings.lease_renew_seconds,
            manager=names.WORKER_MANAGER,
            patient=False,
            pod=pod,
            boot=_boot(),
            labels={
                names.LABEL_POOL: settings.pool,
                names.LABEL_COMPONENT: names.WORKER,
                names.LABEL_MANAGED_BY: names.APP,
            },
        )
        self._cameras = AssignedCameras(api, settings.worker)
        self._registry = KubeWorkerRegistry(api, self._cameras)
        self._recorder = Recorder(
            api,
            names.WORKER_MANAGER,
            settings.worker,
            drop=metrics.KUBE_EVENTS_DROPPED.counter(exposition).inc,
        )
        held = metrics.WORKER_LEASE_HELD.gauge(exposition)
        held.set_function(lambda: self._lease.holds)
        age = metrics.WORKER_LEASE_AGE.gauge(exposition)
        age.set_function(lambda: time.monotonic() - self._lease.renewed)

    async def run(self) -> None:
        """See `run` of the module."""
        listen = parse_listen(self._settings.listen)
        async with asyncio.TaskGroup() as tasks, publishing(self._events, tasks) as offer:
            worker = Worker(
                self._settings.worker,
                self._registry,
                self._settings,
                offer=offer,
                metrics=self._exposition,
                tasks=tasks,
                incarnation=self._incarnation,
                term=lambda: self._lease.term,
                settle=self._settings.lease_renew_seconds,
                told=noticing(self._recorder),
            )
            app = make_app(worker, self._exposition, ready=lambda: worker.ready)
            parts = []
            try:
                async with serve(app, listen) as addresses:
                    log.info("worker_started", listen=[str(address) for address in addresses])
                    parts = [
                        tasks.create_task(self._lease.run(), name="lease"),
                        tasks.create_task(self._recorder.run(), name="recorder"),
                        tasks.create_task(self._begin(worker), name="begin"),
                    ]
                    await self._stop.asked.wait()
                    await self._drain(worker)
            finally:
                await worker.stop()
                for part in parts:
                    part.cancel()
                await asyncio.wait(parts) if parts else None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_RELEASE_SECONDS):
                await self._lease.release()
        log.info("worker_stopped")

    async def _begin(self, worker: Worker) -> None:
        """Capture, once the Lease is held; then only keep the copy of what is assigned."""
        await self._lease.held.wait()
        worker.start()
        await self._cameras.run()

    async def _drain(self, worker: Worker) -> None:
        """Go on until no camera is here any more, or it takes too long, or somebody insists.

        Nor for longer than this worker is somebody: its account and rights go with its pool, and
        with them whoever would move its cameras, or be told that they were moved.
        """
        seconds = self._settings.drain_seconds
        log.info("worker_draining", seconds=seconds, cameras=len(worker.live_all()))
        self._lease.annotate(names.ANNOTATION_DRAINING, "true")
        relieved = asyncio.create_task(worker.relieved.wait(), name="relieved")
        insisted = asyncio.create_task(self._stop.insisted.wait(), name="insisted")
        dismissed = asyncio.create_task(self._lease.dismissed.wait(), name="dismissed")
        waits = {relieved, insisted, dismissed}
        try:
            await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        log.info("worker_drained", cameras=len(worker.live_all()))


def _boot() -> str:
    """Of this machine, since it was started; empty where the kernel does not tell."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return ""
