"""The operator's own metrics, and its cameras and workers as they are when somebody scrapes."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric as Family
from prometheus_client.registry import Collector

from ingest_core import metrics
from ingest_operator.cluster import Cluster
from ingest_operator.state import CameraState, Life, WorkerState

_UNSEEN = "Unknown"
_RELEASED = "released"


class OperatorMetrics(Collector):
    """Owner of the operator's metric objects.

    Args:
        registry: What `/metrics` shows.
        cluster: The copy.
        workers: How each worker is now.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        cluster: Cluster,
        workers: Callable[[], Mapping[str, WorkerState]],
    ) -> None:
        self._cluster = cluster
        self._workers = workers
        self.leader = metrics.OPERATOR_LEADER.gauge(registry)
        self.errors = metrics.RECONCILE_ERRORS.counter(registry)
        self.moves = metrics.CAMERA_MOVES.counter(registry)
        self.pending = metrics.PENDING_CHANGES.gauge(registry)
        self.events_dropped = metrics.KUBE_EVENTS_DROPPED.counter(registry)
        self._reconcile = metrics.RECONCILE_SECONDS.histogram(registry)
        self._plan = metrics.PLAN_SECONDS.histogram(registry)
        self._writes = metrics.PLAN_WRITES.gauge(registry)
        registry.register(self)

    def planned(self, seconds: float, writes: int) -> None:
        """A plan was made."""
        self._plan.observe(seconds)
        self._writes.set(writes)

    def reconciled(self, seconds: float) -> None:
        """A pass ended well."""
        self._reconcile.observe(seconds)

    def collect(self) -> Iterable[Family]:
        """Cameras and workers by state: counted when asked, so they cost nothing in between."""
        cameras = Counter(map(_state, list(self._cluster.cameras.values())))
        family = metrics.CAMERAS.family()
        for (pool, reason), count in sorted(cameras.items()):
            family.add_metric([pool, reason], count)
        yield family
        workers = Counter((one.pool, self._life(one)) for one in self._workers().values())
        family = metrics.WORKERS.family()
        for (pool, life), count in sorted(workers.items()):
            family.add_metric([pool, life], count)
        yield family

    def _life(self, worker: WorkerState) -> str:
        """How it is; for placing, one that let go of its Lease is lost, for people it is not."""
        lease = self._cluster.leases.get(worker.name)
        released = lease is not None and not lease.seen.holder
        return _RELEASED if released and worker.life is Life.LOST else worker.life.value


def _state(camera: CameraState) -> tuple[str, str]:
    """Pool and reason; bounded by the pools that cameras name and the reasons that there are."""
    if camera.assigned is not None and camera.assigned.status != "True":
        return camera.pool, camera.assigned.reason
    return camera.pool, camera.ready.reason if camera.ready is not None else _UNSEEN
