"""Decide what must be written so that what is becomes what should be. Pure.

Level-triggered: only the state counts, never what happened. Planning again after the plan was
applied gives an empty plan; a plan of which only a part was applied is made anew for the rest.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from ingest_core.conditions import merged
from ingest_core.model import ASSIGNED, READY, Assignment, Condition
from ingest_core.pool import CAPACITY_EXHAUSTED
from ingest_operator import ids
from ingest_operator.assignments import Moment
from ingest_operator.placement import Budget, Placement, Rebalance, place, rebalance
from ingest_operator.state import DUPLICATE_ID, CameraState, Life, WorkerState, assignment_of


class Reason:
    """Reasons of the condition Assigned, and of moves in metrics."""

    ASSIGNED: Final = "Assigned"
    CAPACITY_EXHAUSTED: Final = CAPACITY_EXHAUSTED
    DUPLICATE_ID: Final = DUPLICATE_ID
    NO_WORKER: Final = "NoWorker"
    POOL_NOT_FOUND: Final = "PoolNotFound"
    WORKER_LOST: Final = "WorkerLost"


class Cause:
    """Why a camera got another worker, for metrics."""

    NEW: Final = "new"
    WORKER_LOST: Final = "worker_lost"
    DRAIN: Final = "drain"
    BUDGET: Final = "budget"
    POOL: Final = "pool"
    DUPLICATE_ID: Final = "duplicate_id"
    REBALANCE: Final = "rebalance"
    UNPLACED: Final = "unplaced"


@dataclass(frozen=True, slots=True)
class PoolRules:
    """What placing needs to know of a pool."""

    budget: Budget
    rebalance: Rebalance


@dataclass(frozen=True, slots=True)
class Write:
    """What the operator says of a camera.

    Attributes:
        camera: As it was planned for.
        assignment: Whole.
        assigned: The condition Assigned.
        ready: The condition Ready, where nobody captures it, so that no worker says it; else None.
        cause: Why it gets another worker; None: it does not.
    """

    camera: CameraState
    assignment: Assignment | None
    assigned: Condition
    ready: Condition | None
    cause: str | None


@dataclass(frozen=True, slots=True)
class Lack:
    """Cameras of a pool that have no room: how many would find it on further workers, how many not.

    Attributes:
        cameras: For which workers lack.
        too_heavy: That weigh more than any worker may take.
    """

    cameras: int = 0
    too_heavy: int = 0

    def __bool__(self) -> bool:
        return bool(self.cameras or self.too_heavy)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to write, the most urgent first, and what was found on the way.

    Attributes:
        writes: Of cameras.
        rebalancing: Moves among them that only even loads out, by pool.
        exhausted: Cameras without room, by pool; none where no worker lives, which is no matter of
            room.
    """

    writes: tuple[Write, ...]
    rebalancing: Mapping[str, int]
    exhausted: Mapping[str, Lack]


def plan(
    cameras: Iterable[CameraState],
    workers: Mapping[str, WorkerState],
    pools: Mapping[str, PoolRules],
    now: str,
    version: int,
    *,
    unreadable: AbstractSet[str] = frozenset(),
    predecessors: Mapping[str, str] = MappingProxyType({}),
) -> Plan:
    """Compare what is with what should be.

    Args:
        cameras: Every camera; those that are being deleted are left alone, and captured still.
        workers: Every worker that is known, by name.
        pools: Every pool, by name.
        now: RFC 3339, for people.
        version: The newest that was seen of any Camera, ends included: no epoch is above it.
        unreadable: Pools that are there and cannot be read: their cameras are left alone.
        predecessors: Who captured the last Camera of an id that is gone, by id.
    """
    known = list(cameras)
    taken = ids.taken(known)
    at = Moment(workers, now, version, {**predecessors, **_rivals(known, taken)})
    by_pool: dict[str, list[CameraState]] = defaultdict(list)
    foreign: dict[str, list[CameraState]] = defaultdict(list)
    writes: list[Write] = []
    for camera in known:
        holder, member = taken.get(camera.name), False
        if holder is not None and not camera.deleting:
            writes += _refused(camera, holder, at)
        elif not camera.deleting:
            by_pool[camera.pool].append(camera)
            member = True
        for pool in _captured_in(camera, workers):
            if not (member and pool == camera.pool):
                foreign[pool].append(camera)
    rebalancing: dict[str, int] = {}
    exhausted: dict[str, Lack] = {}
    for pool, members in sorted(by_pool.items()):
        rules = pools.get(pool)
        if pool in unreadable:
            continue
        if rules is None:
            writes += _orphaned(members, pool, at)
            continue
        own = {name: one for name, one in workers.items() if one.pool == pool}
        placement = place(members, _seen_from(pool, workers), rules.budget, foreign[pool])
        evened: Mapping[str, str] = {}
        too_heavy = {one.name for one in members if one.weight > rules.budget.weight}
        homeless = (placement.unplaced | placement.waiting) - too_heavy
        leave = any(not one.deleting for one in foreign[pool])
        if not (placement.moves or homeless or leave):
            evened = rebalance(members, own, rules.budget, rules.rebalance, foreign[pool])
        rebalancing[pool] = len(evened)
        has_worker = any(one.life is Life.OPEN for one in own.values())
        lacking = placement.unplaced | placement.waiting
        exhausted[pool] = Lack(len(homeless), len(lacking & too_heavy)) if has_worker else Lack()
        decided = _Decided(placement, evened, rules.budget, has_worker, at)
        writes += filter(None, map(decided.write, members))
    writes.sort(key=_urgency)
    return Plan(tuple(writes), rebalancing, exhausted)


def _rivals(cameras: Iterable[CameraState], taken: Mapping[str, CameraState]) -> Mapping[str, str]:
    """Who captures a camera whose id another one has, by id; of several, the oldest."""
    refused = (one for one in cameras if one.name in taken and one.holder is not None)
    by_age = sorted(refused, key=lambda one: one.seniority, reverse=True)
    return {one.id: one.holder for one in by_age if one.holder is not None}


def _captured_in(camera: CameraState, workers: Mapping[str, WorkerState]) -> AbstractSet[str]:
    """The pools whose workers may capture it: until it has moved, it takes room in both."""
    names = (camera.worker, camera.previous) if camera.yielded else (camera.worker,)
    return {workers[name].pool for name in names if name is not None and name in workers}


def _seen_from(pool: str, workers: Mapping[str, WorkerState]) -> Mapping[str, WorkerState]:
    """The workers, of which those of other pools take nothing, but may have a camera still."""
    return {
        name: one
        if one.pool == pool or one.life is not Life.OPEN
        else WorkerState(one.name, one.pool, one.ordinal, Life.LEAVING)
        for name, one in workers.items()
    }


def _orphaned(members: Iterable[CameraState], pool: str, at: Moment) -> Iterable[Write]:
    """A pool that is not there takes its cameras' assignments with it."""
    said = Reason.POOL_NOT_FOUND, f"there is no CameraPool {pool!r} in this namespace"
    for camera in members:
        write = _compare(camera, at.taken_away(camera), said, Cause.POOL, at.now)
        if write is not None:
            yield write


def _refused(camera: CameraState, holder: CameraState, at: Moment) -> Iterable[Write]:
    """An id that another camera has is none: whatever had a worker by it has none any more."""
    text = (
        f"Camera {holder.name!r} is older and has the id {camera.id!r}: delete one of the two, or "
        "make this one anew with another spec.cameraId"
    )
    said = Reason.DUPLICATE_ID, text
    write = _compare(camera, at.taken_away(camera), said, Cause.DUPLICATE_ID, at.now)
    return () if write is None else (write,)


@dataclass(frozen=True, slots=True)
class _Decided:
    """What was decided for the cameras of one pool."""

    placement: Placement
    evened: Mapping[str, str]
    budget: Budget
    has_worker: bool
    at: Moment

    def write(self, camera: CameraState) -> Write | None:
        """What must be written of a camera; None: all of it stands there."""
        target = self.placement.moves.get(camera.name) or self.evened.get(camera.name)
        if target is not None:
            evened = camera.name in self.evened
            cause = Cause.REBALANCE if evened else _cause(camera, self.at.workers)
            assignment = self.at.given(camera, target)
            return _compare(camera, assignment, (Reason.ASSIGNED, ""), cause, self.at.now)
        if camera.name in self.placement.unplaced:
            why = _no_room(camera, self.budget, has_worker=self.has_worker)
            nobodys = self.at.taken_away(camera)
            return _compare(camera, nobodys, why, Cause.UNPLACED, self.at.now)
        said = (Reason.ASSIGNED, "")
        worker = self.at.workers.get(camera.worker or "")
        if worker is not None and not worker.captures:
            said = Reason.WORKER_LOST, f"worker {worker.name} is lost, and no other has room"
        return _compare(camera, self.at.settled(camera), said, None, self.at.now)


def _cause(camera: CameraState, workers: Mapping[str, WorkerState]) -> str:
    if camera.worker is None:
        return Cause.NEW
    worker = workers.get(camera.worker)
    if worker is None or not worker.captures:
        return Cause.WORKER_LOST
    if worker.pool != camera.pool:
        return Cause.POOL
    return Cause.DRAIN if worker.life is Life.LEAVING else Cause.BUDGET


def _no_room(camera: CameraState, budget: Budget, *, has_worker: bool) -> tuple[str, str]:
    if not has_worker:
        return Reason.NO_WORKER, f"pool {camera.pool!r} has no live worker"
    if camera.weight > budget.weight:
        text = (
            f"its weight {camera.weight} is more than a worker of pool {camera.pool!r} may take "
            f"({budget.weight})"
        )
    else:
        text = f"no worker of pool {camera.pool!r} has room for weight {camera.weight}"
    return Reason.CAPACITY_EXHAUSTED, text


def _compare(
    camera: CameraState,
    assignment: Assignment | None,
    said: tuple[str, str],
    cause: str | None,
    now: str,
) -> Write | None:
    """What must be written; None: it stands there already."""
    fine = said[0] == Reason.ASSIGNED
    assigned = _condition(camera, ASSIGNED, camera.assigned, said, now)
    ready = None if fine else _condition(camera, READY, camera.ready, said, now)
    current = assignment_of(camera)
    if assignment == current and assigned == camera.assigned and ready in (None, camera.ready):
        return None
    changed = (assignment and assignment.worker) != (current and current.worker)
    return Write(camera, assignment, assigned, ready, cause if changed else None)


def _condition(
    camera: CameraState, type_: str, there: Condition | None, said: tuple[str, str], now: str
) -> Condition:
    reason, message = said
    status: Literal["True", "False"] = "True" if reason == Reason.ASSIGNED else "False"
    seen = Condition(type=type_, status=status, reason=reason, message=message)
    before = () if there is None else (there,)
    (condition,) = merged(before, (seen,), generation=camera.generation, now=now)
    return condition


def _urgency(write: Write) -> tuple[int, int, str]:
    """First what nobody captures and now will be, then handovers, then what is only said."""
    assignment, camera = write.assignment, write.camera
    if write.cause in (Cause.NEW, Cause.WORKER_LOST):
        rank = 0
    elif assignment is not None and assignment.previous != camera.previous:
        rank = 1
    else:
        rank = 2 if write.cause else 3
    return rank, -camera.weight, camera.name
