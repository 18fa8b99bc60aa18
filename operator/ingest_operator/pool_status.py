"""What the operator says of a pool. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ingest_core.conditions import merged
from ingest_core.model import READY, Condition
from ingest_core.pool import CAPACITY_EXHAUSTED, PROGRESSING, CameraPool, PoolStatus
from ingest_operator.manifests import selector_text
from ingest_operator.placement import PERCENT
from ingest_operator.plan import Lack
from ingest_operator.state import CameraState, Life, WorkerState


@dataclass(frozen=True, slots=True)
class PoolFacts:
    """What a pool's status is made of.

    Attributes:
        cameras: Of this pool.
        workers: Of this pool.
        pods: How many there are.
        ready: How many of them are.
        wanted: Workers that it should have.
        lack: Cameras without room.
    """

    cameras: Sequence[CameraState]
    workers: Sequence[WorkerState]
    pods: int
    ready: int
    wanted: int
    lack: Lack


def pool_status(pool: CameraPool, facts: PoolFacts, now: str) -> PoolStatus:
    """The status of a pool, whole; `now` is RFC 3339."""
    cameras = [one for one in facts.cameras if not one.refused]
    lives = [one.life for one in facts.workers]
    open_, leaving = lives.count(Life.OPEN), lives.count(Life.LEAVING)
    assigned = sum(one.worker is not None for one in cameras)
    weight = sum(one.weight for one in cameras if one.worker is not None)
    capacity = open_ * pool.spec.worker.weight_capacity
    spare_missing = _missing_spare(pool, cameras, open_)
    seen = (
        _ready(open_, facts.wanted),
        _progressing(open_, leaving, facts.wanted),
        _exhausted(facts.lack, pool.spec.worker.weight_capacity, spare_missing),
    )
    return PoolStatus(
        observed_generation=pool.metadata.generation,
        replicas=facts.pods,
        ready_replicas=facts.ready,
        workers=open_ + leaving,
        selector=selector_text(pool.metadata.name),
        cameras=len(facts.cameras),
        assigned=assigned,
        unassigned=len(facts.cameras) - assigned,
        utilization_percent=round(PERCENT * weight / capacity) if capacity else 0,
        conditions=merged(
            pool.status.conditions, seen, generation=pool.metadata.generation, now=now
        ),
    )


def _missing_spare(pool: CameraPool, cameras: Sequence[CameraState], open_: int) -> int:
    """Workers that lack for `spareWorkers` of them to be lost without loss."""
    weight = sum(one.weight for one in cameras)
    by_weight = -(-weight // pool.spec.worker.weight_capacity)
    by_count = -(-len(cameras) // pool.spec.worker.max_cameras)
    spare = pool.spec.spare_workers
    return max(0, min(spare, max(by_weight, by_count) + spare - open_))


def _ready(open_: int, wanted: int) -> Condition:
    if open_ >= wanted:
        return _condition(READY, "True", "WorkersReady", "")
    return _condition(READY, "False", "WorkersMissing", f"{open_} of {_some(wanted, 'worker')}")


def _progressing(open_: int, leaving: int, wanted: int) -> Condition:
    if leaving:
        text = f"relieving {_some(leaving, 'worker')} of cameras"
        return _condition(PROGRESSING, "True", "Draining", text)
    if open_ < wanted:
        text = f"waiting for {_some(wanted - open_, 'worker')}"
        return _condition(PROGRESSING, "True", "Starting", text)
    return _condition(PROGRESSING, "False", "Settled", "")


def _exhausted(lack: Lack, capacity: int, spare_missing: int) -> Condition:
    if lack:
        return _condition(CAPACITY_EXHAUSTED, "True", "NoRoom", advice(lack, capacity))
    if spare_missing:
        text = f"{_some(spare_missing, 'worker')} short of spareWorkers"
        return _condition(CAPACITY_EXHAUSTED, "True", "NoSpareWorkers", text)
    return _condition(CAPACITY_EXHAUSTED, "False", "Room", "")


def advice(lack: Lack, capacity: int) -> str:
    """What lacks, and what to do about it: what fits no worker at all needs larger ones, not more.

    Args:
        lack: Of a pool.
        capacity: `weightCapacity` of its workers.
    """
    texts = []
    if lack.cameras:
        what = _some(lack.cameras, "camera")
        texts.append(f"no room for {what}: add workers, or take cameras away")
    if lack.too_heavy:
        what = _some(lack.too_heavy, "camera")
        texts.append(
            f"no worker may take the weight of {what}: raise weightCapacity ({capacity}), or lower "
            "spec.weight"
        )
    return "; ".join(texts)


def _some(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _condition(
    type_: str, status: Literal["True", "False"], reason: str, message: str
) -> Condition:
    return Condition(type=type_, status=status, reason=reason, message=message)
