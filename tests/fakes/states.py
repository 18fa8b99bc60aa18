"""What the operator decides by, as plain values with everything that a test does not care about."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from msgspec.structs import replace as replaced

from ingest_core.model import ASSIGNED, READY, Condition, Metadata
from ingest_core.pool import CameraPool, PoolSpec
from ingest_operator.placement import Budget, Rebalance
from ingest_operator.plan import PoolRules, Write
from ingest_operator.state import UNNUMBERED, CameraState, Life, WorkerState, ordinal_of

NOW = "2026-11-22T09:00:00Z"
LATER = "2026-11-22T09:01:00Z"

_CAMERA = CameraState(
    name="lobby",
    id="lobby",
    uid="",
    created=NOW,
    version=1000,
    generation=1,
    deleting=False,
    pool="default",
    weight=100,
    exclusive=False,
    secrets=(),
    worker=None,
    epoch=0,
    previous=None,
    since="",
    released=0,
    connected=0,
    assigned=None,
    ready=None,
)


def camera(name: str = "lobby", **known: Any) -> CameraState:
    """A camera that nobody has; one with a worker has had it from epoch 1 on, and says so."""
    if known.get("worker") or known.get("epoch"):
        fine = Condition(
            type=ASSIGNED,
            status="True",
            reason="Assigned",
            last_transition_time=NOW,
            observed_generation=1,
        )
        known = {"epoch": 1, "since": NOW, "assigned": fine, **known}
    values = {field: getattr(_CAMERA, field) for field in CameraState.__dataclass_fields__}
    return CameraState(**{**values, "name": name, "id": name, "uid": f"uid-of-{name}", **known})


def unassigned(reason: str, message: str, *, type_: str = ASSIGNED, since: str = NOW) -> Condition:
    """Assigned (or Ready) is False."""
    return Condition(
        type=type_,
        status="False",
        reason=reason,
        message=message,
        last_transition_time=since,
        observed_generation=1,
    )


def not_ready(reason: str, message: str, *, since: str = NOW) -> Condition:
    return unassigned(reason, message, type_=READY, since=since)


def worker(name: str, life: Life = Life.OPEN, pool: str | None = None) -> WorkerState:
    """A worker of the pool that its name says, or of the one that is given."""
    owner = name.rpartition("-")[0] if pool is None else pool
    ordinal = ordinal_of(name, owner)
    return WorkerState(name, owner, UNNUMBERED if ordinal is None else ordinal, life)


def fleet(*workers: str | WorkerState, **lives: Life) -> Mapping[str, WorkerState]:
    """Workers by name; a keyword `default_1=Life.LOST` says how one of them is."""
    made = {one.name: one for one in map(_worker, workers)}
    for keyword, life in lives.items():
        name = keyword.replace("_", "-")
        made[name] = worker(name, life)
    return made


def _worker(one: str | WorkerState) -> WorkerState:
    return one if isinstance(one, WorkerState) else worker(one)


def by_name(cameras: Iterable[CameraState]) -> dict[str, CameraState]:
    return {one.name: one for one in cameras}


def rules(weight: int = 1000, cameras: int = 100, *, skew: int = 20, moves: int = 0) -> PoolRules:
    """Of a pool; without moves, nothing is ever moved only to even loads out."""
    return PoolRules(Budget(weight, cameras), Rebalance(skew, moves))


def pool(name: str = "default", **spec: Any) -> CameraPool:
    """A pool; `worker_*` keywords are parts of its workers' template."""
    template = {
        key.removeprefix("worker_"): spec.pop(key)
        for key in list(spec)
        if key.startswith("worker_")
    }
    made = PoolSpec(**spec)
    made = replaced(made, worker=replaced(made.worker, **template))
    return CameraPool(metadata=Metadata(name=name, uid=f"uid-of-{name}", generation=1), spec=made)


def written(write: Write) -> CameraState:
    """A camera after a write, as the API server would tell of it."""
    assignment = write.assignment
    return replace(
        write.camera,
        version=write.camera.version + 1,
        worker=assignment.worker if assignment else None,
        epoch=assignment.epoch if assignment else 0,
        previous=assignment.previous if assignment else None,
        since=(assignment.time or "") if assignment else "",
        assigned=write.assigned,
        ready=write.ready or write.camera.ready,
    )


def after(cameras: Iterable[CameraState], writes: Iterable[Write]) -> list[CameraState]:
    """The cameras, those that were written as they are then."""
    changed = {write.camera.name: written(write) for write in writes}
    return [changed.get(one.name, one) for one in cameras]
