"""The operator's parts over an API server in memory, in virtual time, watched without kopf."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

from prometheus_client import CollectorRegistry

from ingest_core import names
from ingest_core.kube.events import Recorder
from ingest_core.kube.informer import version
from ingest_core.kube.lease import LeaseHolder
from ingest_operator.cluster import Cluster, Kind
from ingest_operator.metrics import OperatorMetrics
from ingest_operator.pools import Pools
from ingest_operator.reconcile import Reconciler
from ingest_operator.settings import OperatorSettings
from ingest_operator.sight import SightedClock
from ingest_operator.sweep import RESOURCES, Sweeper
from ingest_operator.watchdog import Watchdog
from ingest_operator.writer import Writer
from tests.fakes.memory_api import Event, MemoryApi, MemoryServer, put_lease
from tests.fakes.virtual_time import NothingLeftToDo

_KINDS: Final = {RESOURCES[kind].plural: kind for kind in Kind}


def feed(cluster: Cluster, event: Event) -> None:
    """What the handlers do with an event of a watch."""
    type_, plural, found = event
    kind = _KINDS.get(plural)
    if kind is None:
        return
    metadata = found["metadata"]
    if type_ == "DELETED":
        cluster.gone(kind, metadata["name"], version(metadata["resourceVersion"]))
    else:
        cluster.see(kind, found)


class Operator:
    """Wired as `main.Program` does it.

    Attributes:
        api: Its way to the server.
        blind: Kinds of which its watches tell nothing.
    """

    def __init__(self, server: MemoryServer, identity: str = "one", *, resync: float = 300) -> None:
        now = asyncio.get_running_loop().time
        self.blind: set[Kind] = set()
        clock = SightedClock(2.7, now)
        self.api = api = MemoryApi(server, clock.called)
        server.watches.append(self.see)
        self.news = asyncio.Event()
        self.cluster = Cluster(self.news.set, clock, 2.7)
        self.exposition = CollectorRegistry()
        self.lease = LeaseHolder(
            api,
            names.OPERATOR_LEASE,
            identity,
            duration=8,
            renew=2,
            manager=names.OPERATOR_MANAGER,
            patient=True,
            labels={names.LABEL_MANAGED_BY: names.APP},
            now=now,
            draw=lambda: 0.5,
        )
        self.metrics = OperatorMetrics(
            self.exposition, self.cluster, lambda: self.reconciler.observe()[1]
        )
        self.metrics.leader.set_function(lambda: self.lease.holds)
        self.recorder = Recorder(
            api, names.OPERATOR_MANAGER, identity, drop=self.metrics.events_dropped.inc, now=now
        )
        self.writer = Writer(
            api, self.cluster, holds=lambda: self.lease.holds, errors=self.metrics.errors
        )
        self.pools = Pools(api, self.writer, OperatorSettings(), now)
        self.reconciler = Reconciler(
            self.cluster,
            self.writer,
            self.pools,
            self.lease,
            news=self.news,
            recorder=self.recorder,
            metrics=self.metrics,
            now=now,
            clock=now,
        )
        self.sweeper = Sweeper(api, self.cluster)
        self.watchdog = Watchdog(self.sweeper, every=resync, swept=self.resynced, now=now)

    def see(self, event: Event) -> None:
        """An event of a watch."""
        if _KINDS.get(event[1]) not in self.blind:
            feed(self.cluster, event)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run all of it while the block does; ends with what ends a part of it."""
        async with asyncio.TaskGroup() as tasks:
            running = [
                tasks.create_task(part)
                for part in (
                    self.watchdog.run(),
                    self.recorder.run(),
                    self._stand(),
                    self.reconciler.run(),
                )
            ]
            yield
            for task in running:
                task.cancel()

    def count(self, name: str, **labels: str) -> float:
        """A sample of /metrics; 0 where there is none."""
        return self.exposition.get_sample_value(f"camera_ingest_{name}", labels) or 0.0

    async def _stand(self) -> None:
        await self.watchdog.begun.wait()
        await self.lease.run()

    def resynced(self) -> None:
        """What a sweep is followed by."""
        self.pools.forget()
        self.news.set()


class Fleet:
    """Workers that renew their Leases, and do nothing else, until they are told to stop."""

    def __init__(self, server: MemoryServer, *workers: str) -> None:
        self._server = server
        self.alive = set(workers)

    async def run(self) -> None:
        """Renew until cancelled; a server that does not answer is asked again."""
        now = asyncio.get_running_loop().time
        while True:
            for worker in sorted(self.alive):
                put_lease(self._server, worker, now())
            await asyncio.sleep(3)


async def until(holds: Callable[[], Any], seconds: float = 60) -> None:
    """Wait, in virtual time, until something holds."""
    now = asyncio.get_running_loop().time
    end = now() + seconds
    while not holds():
        if now() > end:
            raise NothingLeftToDo("it did not come about")
        await asyncio.sleep(0.01)
