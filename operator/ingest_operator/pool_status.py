"""What the operator says of a pool. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from ingest_core.conditions import merged
from ingest_core.model import READY, Condition
from ingest_core.pool import CAPACITY_EXHAUSTED, PROGRESSING, CameraPool, PoolStatus
from ingest_operator.manifests import selector_text
from ingest_operator.state import CameraState, Life, WorkerState

PERCENT: Final = 100


@dataclass(frozen=True, slots=True)
class PoolFacts:
    """What a pool's status is made of.

    Attributes:
        cameras: Of this pool.
        workers: Of this pool.
        pods: How many there are.
        ready: How many of them are.
        wanted: Workers that it should have.
        exhausted: Cameras without room.
    """

    cameras: Sequence[CameraState]
    workers: Sequence[WorkerState]
    pods: int
    ready: int
    wanted: int
    exhausted: int


def pool_status(pool: CameraPool, facts: PoolFacts, now: str) -> PoolStatus:
    """The status of a pool, whole; `now` is RFC 3339."""
    cameras = facts.cameras
    lives = [one.life for one in facts.workers]
    open_ = lives.count(Life.OPEN)
    assigned = sum(one.worker is not None for one in cameras)
    weight = sum(one.weight for one in cameras if one.worker is not None)
    capacity = open_ * pool.spec.worker.weight_capacity
    spare_missing = _missing_spare(pool, cameras, open_)
    seen = (
        _ready(open_, facts.wanted),
        _progressing(lives, open_, facts.wanted),
        _exhausted(facts.exhausted, spare_missing),
    )
    return PoolStatus(
        observed_generation=pool.metadata.generation,
        replicas=facts.pods,
        ready_replicas=facts.ready,
        selector=selector_text(pool.metadata.name),
        cameras=len(cameras),
        assigned=assigned,
        unassigned=len(cameras) - assigned,
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
    return _condition(READY, "False", "WorkersMissing", f"{open_} of {wanted} workers are there")


def _progressing(lives: list[Life], open_: int, wanted: int) -> Condition:
    leaving = lives.count(Life.LEAVING)
    if leaving:
        return _condition(PROGRESSING, "True", "Draining", f"{leaving} workers are being relieved")
    if open_ < wanted:
        return _condition(PROGRESSING, "True", "Starting", f"{wanted - open_} workers are to come")
    return _condition(PROGRESSING, "False", "Settled", "")


def _exhausted(exhausted: int, spare_missing: int) -> Condition:
    if exhausted:
        text = f"{exhausted} cameras have no room"
        return _condition(CAPACITY_EXHAUSTED, "True", "NoRoom", text)
    if spare_missing:
        text = f"{spare_missing} workers lack for spareWorkers"
        return _condition(CAPACITY_EXHAUSTED, "True", "NoSpareWorkers", text)
    return _condition(CAPACITY_EXHAUSTED, "False", "Room", "")


def _condition(
    type_: str, status: Literal["True", "False"], reason: str, message: str
) -> Condition:
    return Condition(type=type_, status=status, reason=reason, message=message)
