"""How many workers a pool should have. Pure.

Without autoscaling what `spec.replicas` says, to which HPA and KEDA may write through `scale`. With
it, so many that their cameras use at most the target of what they may take, and the spare ones.
"""

from ingest_core.pool import CameraPool
from ingest_operator.placement import PERCENT


def replicas(pool: CameraPool, weight: int, cameras: int) -> int:
    """Workers that a pool should have.

    Args:
        pool: As its user wants it.
        weight: Of all of its cameras.
        cameras: How many it has.
    """
    scaling = pool.spec.autoscaling
    if scaling is None:
        return pool.spec.replicas
    worker, target = pool.spec.worker, scaling.target_utilization_percent
    by_weight = -(-weight * PERCENT // (worker.weight_capacity * target))  # rounded up
    by_count = -(-cameras * PERCENT // (worker.max_cameras * target))
    needed = max(by_weight, by_count) + pool.spec.spare_workers
    return max(scaling.min_replicas, min(scaling.max_replicas, needed))


def kept(wanted: int, busy: int) -> int:
    """Replicas of the StatefulSet: a worker is not taken away before its cameras are.

    Args:
        wanted: Workers that the pool should have.
        busy: One more than the highest ordinal that is alive and has cameras.
    """
    return max(wanted, busy)
