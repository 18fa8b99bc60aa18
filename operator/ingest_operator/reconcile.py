"""The one loop: observe, plan, apply the difference; wait until there is something to look at.

Level-triggered and idempotent. A pass writes so much at most and looks again, so that a worker
lost while thousands of Cameras come in does not wait for them. Only the leader runs it.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from math import inf
from typing import Final, Never

import structlog

from ingest_core.errors import ApiRefused, ApiUnavailable
from ingest_core.events import rfc3339
from ingest_core.kube.events import Recorder
from ingest_core.kube.lease import LeaseHolder
from ingest_core.pool import LeaseTerms
from ingest_operator import autoscale
from ingest_operator.cluster import Cluster
from ingest_operator.metrics import OperatorMetrics
from ingest_operator.notices import Notices
from ingest_operator.placement import Budget, Rebalance
from ingest_operator.plan import Cause, Plan, PoolRules, Write, plan
from ingest_operator.pools import Pools
from ingest_operator.refusals import Refusals
from ingest_operator.state import WorkerState
from ingest_operator.workers import next_expiry, workers
from ingest_operator.writer import NotLeading, Writer

WRITES: Final = 500  # of cameras in a pass
SETTLE_SECONDS: Final = 0.02  # in which what comes together is looked at together
PROMPT: Final = 0.5  # of renewSeconds; the rest is for planning, for watches, and for the server
REST: Final = 1.0  # of a pass's planning time, before the next: at most half a core
_GRANTED_FIRST: Final = (Cause.NEW, Cause.POOL)
_MINUTE: Final = 60.0
_RETRY_SECONDS: Final = 1.0
_MARGIN_SECONDS: Final = 0.01  # past an expiry, so that it is over when it is looked at

log: structlog.stdlib.BoundLogger = structlog.get_logger()


class Reconciler:
    """See the module.

    Args:
        cluster: The copy.
        writer: The hand.
        pools: Keeps what each pool is made of.
        lease: Held while this process leads.
        news: Set when there is something to look at.
        recorder: Tells people.
        metrics: Of the operator.
        now: Monotonic seconds.
        clock: Unix seconds, for people.
    """

    def __init__(
        self,
        cluster: Cluster,
        writer: Writer,
        pools: Pools,
        lease: LeaseHolder,
        *,
        news: asyncio.Event,
        recorder: Recorder,
        metrics: OperatorMetrics,
        now: Callable[[], float] = time.monotonic,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._cluster = cluster
        self._writer = writer
        self._pools = pools
        self._lease = lease
        self._notices = Notices(recorder)
        self._metrics = metrics
        self._sighted = cluster.clock
        self._now = now
        self._clock = clock
        self._news = news
        self._moved: dict[str, deque[float]] = {}  # when rebalancing moved a camera, by pool
        self._looked_at: frozenset[str] = frozenset()  # workers that lived when it was planned
        self._refusals: Refusals[str] = Refusals()  # of cameras

    async def run(self) -> Never:
        """Reconcile until cancelled, while this process leads; whether it does, its Lease says."""
        await self._lease.held.wait()
        log.info("leading")
        rest = 0.0
        while True:
            self._news.clear()
            try:
                rest = REST * await self.reconcile()
            except (ApiUnavailable, ApiRefused, NotLeading) as error:
                log.warning("reconcile_delayed", error=str(error), retry_seconds=_RETRY_SECONDS)
                self._news.set()
                rest = _RETRY_SECONDS
            await asyncio.sleep(max(SETTLE_SECONDS, rest))
            await self._something()

    async def reconcile(self) -> float:
        """One pass; gives the seconds that planning took. Raises as the writer."""
        began = self._now()
        self._metrics.pending.set(self._cluster.pending)
        self._cluster.pending = 0
        replicas = self._replicas()
        alive = self._workers(replicas)
        self._looked_at = frozenset(name for name, one in alive.items() if one.captures)
        made = self._plan(alive)
        planned = self._now() - began
        self._metrics.planned(planned, len(made.writes))
        self._notices.workers(alive, self._cluster)
        self._refusals.keep({write.camera.name for write in made.writes})
        unreadable = self._cluster.unreadable_cameras
        writes = [write for write in made.writes if write.camera.name not in unreadable]
        # What is captured, or was, waits for nothing; a pool that is new to a camera must allow its
        # workers the camera's Secret first.
        moved = [write for write in writes if write.cause not in _GRANTED_FIRST]
        new = [write for write in writes if write.cause in _GRANTED_FIRST]
        until = self._now() + self._prompt()
        failed = await self._cameras(moved, WRITES, until)
        await self._pools.objects(self._cluster, replicas, alive)
        failed = await self._cameras(new, max(0, WRITES - len(moved)), until) or failed
        await self._pools.statuses(self._cluster, replicas, alive, made.exhausted, self._time())
        await self._pools.sweep(self._cluster, alive)
        self._notices.exhausted(made.exhausted, self._cluster)
        self._metrics.reconciled(self._now() - began)
        if failed is not None:
            raise failed
        return planned

    def observe(self) -> tuple[Mapping[str, int], Mapping[str, WorkerState]]:
        """How many workers each pool should have, and how those are that it has; any thread."""
        replicas = self._replicas()
        return replicas, self._workers(replicas)

    async def _cameras(
        self, planned: Sequence[Write], most: int, until: float
    ) -> ApiUnavailable | NotLeading | None:
        """Write what does not rest, so much at most; what cut it short, when all is told."""
        now = self._now()
        able = [
            write
            for write in planned
            if not self._refusals.rests(write.camera.name, write.camera.version, now)
        ]
        outcome = await self._writer.cameras(able[:most], max(0.0, until - now))
        now = self._now()
        for write in outcome.written:
            if write.camera.name not in outcome.refused:
                self._refusals.passed(write.camera.name, now)
            if write.cause is not None:
                self._metrics.moves.labels(write.cause).inc()
            if write.cause == Cause.REBALANCE:
                self._moved.setdefault(write.camera.pool, deque()).append(now)
        for name, version in outcome.refused.items():
            self._refusals.refused(name, version, now)
        answered = {write.camera.name for write in outcome.written} | outcome.refused.keys()
        if outcome.error is None and len(able) > len(answered):
            self._news.set()  # what was left, or has changed meanwhile, is planned anew
        return outcome.error

    def _plan(self, alive: Mapping[str, WorkerState]) -> Plan:
        rules = {
            name: PoolRules(
                Budget(pool.spec.worker.weight_capacity, pool.spec.worker.max_cameras),
                Rebalance(
                    pool.spec.rebalance.skew_percent,
                    self._moves_left(name, pool.spec.rebalance.max_moves_per_minute),
                ),
            )
            for name, pool in self._cluster.pools.items()
            if not pool.metadata.deletion_timestamp
        }
        for pool in self._moved.keys() - rules.keys():
            del self._moved[pool]
        cluster = self._cluster
        return plan(
            cluster.cameras.values(),
            alive,
            rules,
            self._time(),
            cluster.version,
            unreadable=cluster.unreadable_pools,
            predecessors=cluster.predecessors,
        )

    def _replicas(self) -> dict[str, int]:
        weights: Counter[str] = Counter()
        cameras: Counter[str] = Counter()
        for camera in tuple(self._cluster.cameras.values()):
            if not camera.deleting and not camera.refused:
                weights[camera.pool] += camera.weight
                cameras[camera.pool] += 1
        return {
            name: autoscale.replicas(pool, weights[name], cameras[name])
            for name, pool in tuple(self._cluster.pools.items())
            if not pool.metadata.deletion_timestamp
        }

    def _workers(self, replicas: Mapping[str, int]) -> Mapping[str, WorkerState]:
        pods, leases = tuple(self._cluster.pods.items()), dict(self._cluster.leases)
        ending = frozenset(name for name, pod in pods if pod.terminating)
        return workers(leases, ending, replicas, self._sighted())

    def _prompt(self) -> float:
        """Half of the seconds for which a lost worker that is back opens no Exclusive camera."""
        pauses = [pool.spec.lease.renew_seconds for pool in self._cluster.pools.values()]
        return PROMPT * min([*pauses, LeaseTerms().renew_seconds])

    def _moves_left(self, pool: str, allowed: int) -> int:
        moved = self._moved.setdefault(pool, deque())
        while moved and moved[0] < self._now() - _MINUTE:
            moved.popleft()
        return max(0, allowed - len(moved))

    async def _something(self) -> None:
        """Wait for a change, for a worker to be lost, or for the time to try something again.

        A worker that was lost since the pass began, while it was applied, counts.
        """
        while self._looked_at == self._alive():
            moments = [moved[0] + _MINUTE for moved in self._moved.values() if moved]
            moments += [self._refusals.next(self._now()), self._pools.again]
            again = min(moments) - self._now()
            expiry = next_expiry(self._cluster.leases, self._sighted())
            lost = inf if expiry is None else expiry - self._sighted()
            timeout = max(0.0, min(again, lost)) + _MARGIN_SECONDS
            try:
                async with asyncio.timeout(None if timeout == inf else timeout):
                    await self._news.wait()
            except TimeoutError:
                if again <= timeout:
                    return
            else:
                return

    def _alive(self) -> frozenset[str]:
        now = self._sighted()
        leases = self._cluster.leases
        return frozenset(name for name, lease in leases.items() if lease.seen.alive(now))

    def _time(self) -> str:
        return rfc3339(self._clock())
