"""Tell people what they must know of a pool, once for each time that it becomes so."""

from collections.abc import Mapping
from typing import Final

import structlog

from ingest_core.kube.events import Recorder
from ingest_core.kube.resources import POOLS
from ingest_operator.cluster import Cluster
from ingest_operator.state import WorkerState

CAPACITY_EXHAUSTED: Final = "CapacityExhausted"
WORKER_LOST: Final = "WorkerLost"

log: structlog.stdlib.BoundLogger = structlog.get_logger()


class Notices:
    """Owner of what was told last."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._alive: dict[str, bool] = {}
        self._exhausted: set[str] = set()

    def workers(self, workers: Mapping[str, WorkerState], cluster: Cluster) -> None:
        """Tell of workers whose Lease ran out; one that let go of it is not lost."""
        for name, worker in workers.items():
            before = self._alive.get(name)
            if before is True and not worker.captures and cluster.leases[name].seen.holder:
                log.warning("worker_lost", worker=name, pool=worker.pool)
                self._tell(
                    cluster,
                    worker.pool,
                    WORKER_LOST,
                    f"worker {name} did not renew its Lease; its cameras go to others",
                )
            elif before is False and worker.captures:
                log.info("worker_back", worker=name, pool=worker.pool)
            self._alive[name] = worker.captures
        for name in self._alive.keys() - workers.keys():
            del self._alive[name]

    def exhausted(self, exhausted: Mapping[str, int], cluster: Cluster) -> None:
        """Tell when a pool has no room for cameras, and when it has again."""
        now = {pool for pool, cameras in exhausted.items() if cameras}
        for pool in sorted(now - self._exhausted):
            log.warning("capacity_exhausted", pool=pool, cameras=exhausted[pool])
            text = f"no room for {exhausted[pool]} cameras: add workers, or take cameras away"
            self._tell(cluster, pool, CAPACITY_EXHAUSTED, text)
        for pool in sorted(self._exhausted - now):
            log.info("capacity_available", pool=pool)
        self._exhausted = now

    def _tell(self, cluster: Cluster, pool: str, reason: str, message: str) -> None:
        found = cluster.pools.get(pool)
        if found is not None:
            self._recorder.tell(POOLS, found.metadata, "Warning", reason, message)
