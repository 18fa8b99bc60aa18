"""Prove from every version of every Camera that a run kept the rules of assignment. Pure.

What is checked, for each Camera by its uid:

- its epoch never falls;
- a changed worker, also from or to nobody, means a grown epoch: so an epoch belongs to one worker;
- no assignment brings its worker over the pool's `weightCapacity` or `maxCameras`, and in the end
  no worker is over either: what a worker yields, it captures still, and so it counts with it, too;
- no Camera is moved, or unassigned, without need. What the history itself shows to be a need: the
  Camera asked for another pool, the pool is gone or has not so many replicas, or the worker was
  over its budget. All else is for the caller to justify: a lost worker, a drain, a rebalance.

Users edit at the same time. An operator cannot know an edit before it has seen it, so `lag` says
for how many seconds an assignment may still be made on what held before.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class CameraVersion:
    """A Camera as it was from `revision` on; `at` in seconds of any one clock.

    `worker` None: it is nobody's. `epoch` 0: it never was anybody's. `yielding`: who captures it
    still, in a handover, until `worker` does; None: nobody, or a Camera that is Exclusive.
    `deleted`: it is gone; one that is only being deleted is captured still, and takes its room.
    """

    revision: int
    at: float
    name: str
    uid: str
    pool: str
    weight: int
    worker: str | None = None
    epoch: int = 0
    yielding: str | None = None
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class PoolVersion:
    """A CameraPool as it was from `revision` on; `replicas` None: something else decides."""

    revision: int
    at: float
    name: str
    weight_capacity: int
    max_cameras: int
    replicas: int | None = None
    deleted: bool = False


Version = CameraVersion | PoolVersion


@dataclass(frozen=True, slots=True)
class Move:
    """A Camera that one worker had and now another, or none (`target` None), has."""

    before: CameraVersion
    after: CameraVersion

    @property
    def source(self) -> str:
        assert self.before.worker is not None
        return self.before.worker

    @property
    def target(self) -> str | None:
        return self.after.worker


class Rule(StrEnum):
    """What has been broken, as a sentence."""

    EPOCH_FELL = "the epoch never falls"
    EPOCH_SHARED = "an epoch belongs to one worker: a changed one means a grown epoch"
    OVERLOADED = "no worker is given more than its pool's weightCapacity"
    CROWDED = "no worker is given more cameras than its pool's maxCameras"
    MOVED = "no camera moves that need not"


@dataclass(frozen=True, slots=True)
class Violation:
    """A rule that did not hold: where, and what was seen. Prints as a sentence."""

    rule: Rule
    camera: str
    uid: str
    revision: int
    seen: str

    def __str__(self) -> str:
        where = f"camera {self.camera} (uid {self.uid}) at revision {self.revision}"
        return f"{where}: {self.seen}, but {self.rule}"


def unjustified(move: Move) -> bool:
    """Nothing but what the history shows justifies a move."""
    return False


def named_for_its_pool(worker: str) -> str:
    """The pool of a pod of a StatefulSet, which is named for the pool: `default-0`."""
    return worker.rpartition("-")[0]


def check(
    history: Iterable[Version],
    *,
    justified: Callable[[Move], bool] = unjustified,
    pool_of: Callable[[str], str] = named_for_its_pool,
    lag: float = 0.0,
) -> list[Violation]:
    """Every rule that a history breaks, in its order.

    Args:
        history: All versions by their revisions, from before the first assignment.
        justified: Whether a move had a reason that is not in the history.
        pool_of: The pool of a worker.
        lag: Seconds for which a user's edit may be unknown to whoever assigns.
    """
    checker = _Checker(justified, pool_of, lag)
    found = [violation for version in history for violation in checker.take(version)]
    return [*found, *checker.end()]


class _Series(Generic[T]):
    """A value over time."""

    def __init__(self) -> None:
        self._values: list[tuple[float, T]] = []

    def put(self, at: float, value: T) -> None:
        self._values.append((at, value))

    def since(self, at: float) -> Sequence[T]:
        """What held then, and all that came after."""
        later: list[T] = []
        for began, value in reversed(self._values):
            later.append(value)
            if began <= at:
                break
        return later


class _Checker:
    def __init__(
        self, justified: Callable[[Move], bool], pool_of: Callable[[str], str], lag: float
    ) -> None:
        self._justified = justified
        self._pool_of = pool_of
        self._lag = lag
        self._now: dict[str, CameraVersion] = {}
        self._cameras: dict[str, _Series[CameraVersion]] = defaultdict(_Series)
        self._pools: dict[str, _Series[PoolVersion]] = defaultdict(_Series)
        self._assigned: dict[str | None, set[str]] = defaultdict(set)  # worker → uids
        self._yielding: dict[str | None, set[str]] = defaultdict(set)  # the same

    def take(self, version: Version) -> Iterator[Violation]:
        if isinstance(version, PoolVersion):
            if version.deleted:
                version = replace(version, weight_capacity=0, max_cameras=0)
            self._pools[version.name].put(version.at, version)
            return
        before = self._now.get(version.uid) or replace(version, worker=None, epoch=0)
        worker, yielding = (
            (version.worker, version.yielding) if not version.deleted else (None, None)
        )
        changed = worker != before.worker
        if changed and before.worker and not version.deleted:
            yield from self._moved(Move(before, version))
        self._cameras[version.uid].put(version.at, version)
        self._now[version.uid] = version
        self._assigned[before.worker].discard(version.uid)
        self._assigned[worker].add(version.uid)
        self._yielding[before.yielding].discard(version.uid)
        self._yielding[yielding].add(version.uid)
        yield from self._epoch(before, version)
        if changed and worker:
            yield from self._budget(worker, version, version.at - self._lag)

    def end(self) -> Iterator[Violation]:
        """What must hold once everything has settled."""
        for worker in filter(None, self._assigned):  # who yields had it before
            if uids := self._held(worker, float("inf")):
                last = max((self._now[uid] for uid in uids), key=lambda camera: camera.revision)
                yield from self._budget(worker, last, float("inf"))

    def _epoch(self, before: CameraVersion, after: CameraVersion) -> Iterator[Violation]:
        if after.epoch < before.epoch:
            yield _violation(Rule.EPOCH_FELL, after, f"from {before.epoch} to {after.epoch}")
        elif after.epoch == before.epoch and after.worker != before.worker:
            seen = f"{_holder(before)} (revision {before.revision}) became {_holder(after)}"
            yield _violation(Rule.EPOCH_SHARED, after, f"{seen} under epoch {after.epoch}")

    def _budget(self, worker: str, camera: CameraVersion, since: float) -> Iterator[Violation]:
        """Break what a worker holds against what it may hold, at the kindest since a time."""
        uids = self._held(worker, since)
        weight = sum(min(v.weight for v in self._cameras[uid].since(since)) for uid in uids)
        pools = self._pools[self._pool_of(worker)].since(since)
        capacity = max((pool.weight_capacity for pool in pools), default=0)
        most = max((pool.max_cameras for pool in pools), default=0)
        if weight > capacity:
            seen = f"{worker} has a weight of {weight} for a capacity of {capacity}"
            yield _violation(Rule.OVERLOADED, camera, seen)
        if len(uids) > most:
            seen = f"{worker} has {len(uids)} cameras for a maximum of {most}"
            yield _violation(Rule.CROWDED, camera, seen)

    def _held(self, worker: str, since: float) -> set[str]:
        """What it has, and what it yields: who assigns knows of that, but not of a user's edit."""
        return self._assigned[worker] | {
            uid
            for uid in self._yielding[worker]
            if all(
                version.yielding == worker
                for version in self._cameras[uid].since(since)
                if version.epoch == self._now[uid].epoch
            )
        }

    def _moved(self, move: Move) -> Iterator[Violation]:
        if not (self._needed(move) or self._justified(move)):
            seen = f"{move.source} (revision {move.before.revision}, epoch {move.before.epoch})"
            seen += f" lost it to {_holder(move.after)}"
            yield _violation(Rule.MOVED, move.after, seen)

    def _needed(self, move: Move) -> bool:
        """Whether the history shows why the source could not keep it."""
        source, uid, since = move.source, move.before.uid, move.after.at - self._lag
        lately = (*self._cameras[uid].since(since), move.after)
        if any(version.pool != self._pool_of(source) for version in lately):
            return True
        pools = self._pools[self._pool_of(source)].since(since)
        if any(_scaled_away(pool, source) for pool in pools):
            return True
        uids = self._assigned[source]
        weight = sum(max(v.weight for v in self._cameras[uid].since(since)) for uid in uids)
        capacity = min((pool.weight_capacity for pool in pools), default=0)
        most = min((pool.max_cameras for pool in pools), default=0)
        return weight > capacity or len(uids) > most


def _scaled_away(pool: PoolVersion, worker: str) -> bool:
    """Whether a pod of the pool's StatefulSet, numbered from 0, is one too many."""
    ordinal = worker.removeprefix(f"{pool.name}-")
    return pool.replicas is not None and ordinal.isdecimal() and int(ordinal) >= pool.replicas


def _holder(camera: CameraVersion) -> str:
    return camera.worker or "nobody"


def _violation(rule: Rule, camera: CameraVersion, seen: str) -> Violation:
    return Violation(rule, camera.name, camera.uid, camera.revision, seen)
