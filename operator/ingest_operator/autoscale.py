"""How many workers a pool should have. Pure.

Without autoscaling what `spec.replicas` says, to which HPA and KEDA may write through `scale`. With
it, so many that their cameras use at most the target of what they may take, and the spare ones.
"""

import math
from typing import Final

from ingest_core.pool import CameraPool

PERCENT: Final = 100


def replicas(pool: CameraPool, weight: int) -> int:
    """Workers that a pool should have.

    Args:
        pool: As its user wants it.
        weight: Of all of its cameras.
    """
    scaling = pool.spec.autoscaling
    if scaling is None:
        return pool.spec.replicas
    each = pool.spec.worker.weight_capacity * scaling.target_utilization_percent / PERCENT
    needed = math.ceil(weight / each) + pool.spec.spare_workers
    return max(scaling.min_replicas, min(scaling.max_replicas, needed))


def kept(wanted: int, busy: int) -> int:
    """Replicas of the StatefulSet: a worker is not taken away before its cameras are.

    Args:
        wanted: Workers that the pool should have.
        busy: One more than the highest ordinal that is alive and has cameras.
    """
    return max(wanted, busy)
