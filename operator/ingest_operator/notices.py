"""Tell people what they must know of a pool, once for each time that it becomes so."""

from collections.abc import Mapping

import structlog

from ingest_core.kube.events import Recorder
from ingest_core.kube.resources import POOLS
from ingest_operator.cluster import Cluster
from ingest_operator.plan import Lack, Reason
from ingest_operator.pool_status import advice
from ingest_operator.state import WorkerState

log: structlog.stdlib.BoundLogger = structlog.get_logger()


class Notices:
    """Owner of what was told last."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._alive: dict[str, bool] = {}
        self._exhausted: set[str] = set()

    def workers(self, workers: Mapping[str, WorkerState], cluster: Cluster) -> None:
        """Tell of workers whose Lease ran out; one that let go of it is not lost.

        One that this process never saw alive is news if its cameras say still that they have it:
        the leader that would have told was gone before it did.
        """
        untold: set[str | None] = set()
        if workers.keys() - self._alive.keys():
            untold = {one.worker for one in cluster.cameras.values() if one.believed}
        for name, worker in workers.items():
            before = self._alive.get(name)
            lost = not worker.captures and cluster.leases[name].seen.holder
            if lost and (before or (before is None and name in untold)):
                log.warning("worker_lost", worker=name, pool=worker.pool)
                self._tell(
                    cluster,
                    worker.pool,
                    Reason.WORKER_LOST,
                    f"worker {name} did not renew its Lease; its cameras go to others",
                )
            elif before is False and worker.captures:
                log.info("worker_back", worker=name, pool=worker.pool)
            self._alive[name] = worker.captures
        for name in self._alive.keys() - workers.keys():
            del self._alive[name]

    def exhausted(self, exhausted: Mapping[str, Lack], cluster: Cluster) -> None:
        """Tell when a pool has no room for cameras, and when it has again."""
        now = {pool for pool, lack in exhausted.items() if lack}
        for pool in sorted(now - self._exhausted):
            lack, found = exhausted[pool], cluster.pools.get(pool)
            log.warning(
                "capacity_exhausted", pool=pool, cameras=lack.cameras, too_heavy=lack.too_heavy
            )
            if found is not None:
                text = advice(lack, found.spec.worker.weight_capacity)
                self._tell(cluster, pool, Reason.CAPACITY_EXHAUSTED, text)
        for pool in sorted(self._exhausted - now):
            log.info("capacity_available", pool=pool)
        self._exhausted = now

    def _tell(self, cluster: Cluster, pool: str, reason: str, message: str) -> None:
        found = cluster.pools.get(pool)
        if found is not None:
            self._recorder.tell(POOLS, found.metadata, "Warning", reason, message)
