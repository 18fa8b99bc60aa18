"""The operator as a program: kopf watches, one loop decides, one replica of them leads."""

import asyncio
import socket
import time
from typing import Final

import kopf
import structlog
from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector

from ingest_core import names, signals
from ingest_core.errors import LeaseLost
from ingest_core.http import parse_listen, serve
from ingest_core.kube import access as kube_access
from ingest_core.kube.called import both, counted
from ingest_core.kube.client import Api
from ingest_core.kube.events import Recorder
from ingest_core.kube.lease import LeaseHolder
from ingest_operator import handlers
from ingest_operator.cluster import Cluster
from ingest_operator.metrics import OperatorMetrics
from ingest_operator.pools import Pools
from ingest_operator.probes import Probes, make_app
from ingest_operator.reconcile import Reconciler
from ingest_operator.settings import OperatorSettings
from ingest_operator.sight import SightedClock
from ingest_operator.sweep import Sweeper, WatchDead
from ingest_operator.watchdog import Watchdog
from ingest_operator.writer import Writer

_ANSWER_SECONDS: Final = 0.7  # beyond the time between two renewals of the leader's own Lease

log: structlog.stdlib.BoundLogger = structlog.get_logger()


async def run(settings: OperatorSettings) -> bool:
    """Run until a signal says so, its lead is lost, or a part of it fails.

    Returns:
        Whether it lost its lead, and is to begin anew: signals are on hold then.

    Raises:
        ApiUnavailable: There is no way to an API server at the start.
        CannotListen: The address is taken, or none of this machine's.
        ExceptionGroup: A part failed while it ran: WatchDead.
    """
    access = await kube_access.load(settings.kubeconfig)
    exposition = CollectorRegistry()
    ProcessCollector(registry=exposition)
    PlatformCollector(registry=exposition)
    # Of this start of this process: two that were given one name must not take each other for one.
    identity = f"{settings.identity or socket.gethostname()}_{time.time_ns() // 1_000_000}"
    clock = SightedClock(settings.lease_renew_seconds + _ANSWER_SECONDS)
    async with Api(access, settings.namespace, both(counted(exposition), clock.called)) as api:
        program = Program(settings, api, identity, clock=clock, exposition=exposition)
        if not await program.run():
            return False
    await signals.hold()
    return not program.stop.is_set()


class Program:
    """The parts, wired. Kopf takes the signals; when it ends, everything does.

    Attributes:
        stop: Set when a signal asks it to end; make it within the loop.
    """

    def __init__(
        self,
        settings: OperatorSettings,
        api: Api,
        identity: str,
        *,
        clock: SightedClock,
        exposition: CollectorRegistry,
    ) -> None:
        self._settings = settings
        self._api = api
        self._exposition = exposition
        self.stop = signals.stop_of_signals()
        self._news = asyncio.Event()
        patience = settings.lease_renew_seconds + _ANSWER_SECONDS
        self._cluster = Cluster(self._news.set, clock, patience)
        self._lease = LeaseHolder(
            api,
            names.OPERATOR_LEASE,
            identity,
            duration=settings.lease_duration_seconds,
            renew=settings.lease_renew_seconds,
            manager=names.OPERATOR_MANAGER,
            patient=True,
            labels={names.LABEL_MANAGED_BY: names.APP, names.LABEL_COMPONENT: "operator"},
        )
        self._metrics = OperatorMetrics(
            exposition, self._cluster, lambda: self._reconciler.observe()[1]
        )
        self._metrics.leader.set_function(lambda: self._lease.holds)
        self._recorder = Recorder(
            api, names.OPERATOR_MANAGER, identity, drop=self._metrics.events_dropped.inc
        )
        writer = Writer(
            api,
            self._cluster,
            holds=lambda: self._lease.holds,
            errors=self._metrics.errors,
        )
        self._pools = Pools(api, writer, settings)
        self._reconciler = Reconciler(
            self._cluster,
            writer,
            self._pools,
            self._lease,
            news=self._news,
            recorder=self._recorder,
            metrics=self._metrics,
        )
        self._watchdog = Watchdog(
            Sweeper(api, self._cluster),
            every=settings.resync_seconds,
            swept=self._resynced,
        )

    async def run(self) -> bool:
        """See `run` of the module: whether its lead was lost."""
        probes = Probes(self._watchdog)
        app = make_app(probes, self._exposition)
        async with serve(app, parse_listen(self._settings.listen)) as addresses:
            log.info(
                "operator_started",
                namespace=self._api.namespace,
                listen=[str(address) for address in addresses],
            )
            try:
                await self._run()
            except ExceptionGroup as group:
                lost, others = group.split(LeaseLost)
                if lost is None:
                    raise
                if others is not None:
                    log.warning("operator_failed_meanwhile", exc_info=others)
                return True
            finally:
                await self._lease.release()
                log.info("operator_stopped")
        return False

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            # All before kopf's: it takes every task that comes after for one of its own.
            parts = [
                tasks.create_task(self._watchdog.run(), name="watchdog"),
                tasks.create_task(self._recorder.run(), name="recorder"),
                tasks.create_task(self._stand(), name="lease"),
                tasks.create_task(self._reconciler.run(), name="reconciler"),
            ]
            ready = asyncio.Event()
            eyes = tasks.create_task(self._watch(ready), name="kopf")
            await _first(eyes, ready, self.stop)
            if ready.is_set():
                # In the place of kopf's, which ends in five seconds.
                self.stop = signals.stop_of_signals()
                await _first(eyes, self.stop)
                if eyes.done() and not self.stop.is_set():
                    raise WatchDead("kopf ended, and did not say why")
            for part in (*parts, eyes):
                part.cancel()

    async def _stand(self) -> None:
        """Candidate only once everything was read: a leader that is blind would take it away."""
        await self._watchdog.begun.wait()
        await self._lease.run()

    async def _watch(self, ready: asyncio.Event) -> None:
        """What kopf does not find at its start it never watches."""
        await self._watchdog.reached.wait()
        await kopf.operator(
            registry=handlers.registered(
                self._cluster, self._api.access, self._watchdog.reach, self._watchdog.hurry
            ),
            settings=handlers.settings(),
            namespaces=[self._api.namespace],
            # Else it asks for the user's name, and the user may be nobody (OpenShift).
            identity=names.OPERATOR_MANAGER,  # type: ignore[arg-type]  # its type has no public name
            standalone=True,
            ready_flag=ready,
        )

    def _resynced(self) -> None:
        self._pools.forget()
        self._news.set()


async def _first(task: asyncio.Task[None], *events: asyncio.Event) -> None:
    """Wait until the task has ended, or one of the events is set."""
    waiting = [asyncio.ensure_future(event.wait()) for event in events]
    await asyncio.wait([task, *waiting], return_when=asyncio.FIRST_COMPLETED)
    for one in waiting:
        one.cancel()
