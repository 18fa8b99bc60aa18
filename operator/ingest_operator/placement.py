"""Decide which worker captures which camera. Pure: no cluster, no clock, no chance.

Sticky: a camera that still fits where it is stays. What must be placed goes to the least loaded
worker that has room: first what nobody captures, then what a leaving worker still does, each
heaviest first (longest processing time first, Graham 1969). Nothing goes beyond a budget, in
whichever order the moves are written; what finds no room stays where it is, if somebody captures it
there or will again. One worker lost moves only its own cameras.
"""

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from ingest_operator.state import CameraState, Life, WorkerState

PERCENT: Final = 100


@dataclass(frozen=True, slots=True)
class Budget:
    """What each worker of a pool may take."""

    weight: int
    cameras: int


@dataclass(frozen=True, slots=True)
class Placement:
    """Where cameras go, by name.

    Attributes:
        moves: To which worker; those that are not named stay as they are.
        unplaced: Cameras that nobody has room for, and that have no worker to stay with.
        waiting: Cameras that should be elsewhere and stay, as there is no room.
    """

    moves: Mapping[str, str]
    unplaced: frozenset[str]
    waiting: frozenset[str]


@dataclass(slots=True)
class _Load:
    """What a worker will have, and what is still to leave it: its room is free only after that."""

    weight: int = 0
    cameras: int = 0
    leaving_weight: int = 0
    leaving_cameras: int = 0

    @property
    def taken(self) -> tuple[int, int]:
        """Weight and cameras, until what leaves has left."""
        return self.weight + self.leaving_weight, self.cameras + self.leaving_cameras

    def fits(self, camera: CameraState, budget: Budget) -> bool:
        weight, cameras = self.taken
        return weight + camera.weight <= budget.weight and cameras < budget.cameras

    def fits_back(self, budget: Budget) -> bool:
        """Is there room for what it yields, which is counted already?"""
        weight, cameras = self.taken
        return weight <= budget.weight and cameras <= budget.cameras

    def over(self, budget: Budget) -> bool:
        return self.weight > budget.weight or self.cameras > budget.cameras

    def add(self, camera: CameraState) -> None:
        self.weight += camera.weight
        self.cameras += 1

    def leave(self, camera: CameraState) -> None:
        self.leaving_weight += camera.weight
        self.leaving_cameras += 1

    def take_back(self, camera: CameraState) -> None:
        self.leaving_weight -= camera.weight
        self.leaving_cameras -= 1
        self.add(camera)

    def give(self, camera: CameraState) -> None:
        self.weight -= camera.weight
        self.cameras -= 1
        self.leave(camera)


def place(
    cameras: Iterable[CameraState],
    workers: Mapping[str, WorkerState],
    budget: Budget,
    foreign: Iterable[CameraState] = (),
) -> Placement:
    """Place the cameras of one pool.

    Args:
        cameras: Every camera that names the pool.
        workers: Every worker that is known, of this pool and of others, by name.
        budget: Of each worker of this pool.
        foreign: Cameras that are none of this pool's any more, and that workers of it may capture
            still: they name another pool by now, or are being deleted, or another one has their id.
    """
    loads = _open(workers)
    _leave(foreign, loads)
    queue = _queue(cameras, workers, loads, budget)
    moves = _assign(queue, loads, budget)
    waiting: set[str] = set()
    unplaced: set[str] = set()
    for camera in queue:
        home = loads.get(camera.worker or "")
        if camera.name in moves or (home is not None and not home.over(budget)):
            continue
        if home is not None:  # still too much there, and nobody has room
            home.give(camera)
        stays = home is not None or _may_stay(camera, workers)
        (waiting if stays else unplaced).add(camera.name)
    return Placement(moves, frozenset(unplaced), frozenset(waiting))


def _leave(foreign: Iterable[CameraState], loads: Mapping[str, _Load]) -> None:
    """Count what is still to leave, with whoever has it and with whoever yields it."""
    for camera in foreign:
        if camera.worker is not None and camera.worker in loads:
            loads[camera.worker].leave(camera)
        if camera.previous is not None and camera.yielded and camera.previous in loads:
            loads[camera.previous].leave(camera)


def _queue(
    cameras: Iterable[CameraState],
    workers: Mapping[str, WorkerState],
    loads: Mapping[str, _Load],
    budget: Budget,
) -> list[CameraState]:
    """Count what stays where it is; gives what may have to go elsewhere, the most urgent first."""
    homeless: list[CameraState] = []
    leaving: list[CameraState] = []
    at_home: dict[str, list[CameraState]] = {name: [] for name in loads}
    for camera in cameras:
        yielding = loads.get(camera.previous or "") if camera.yielded else None
        if yielding is not None:
            yielding.leave(camera)
        if camera.worker is not None and camera.worker in loads:
            at_home[camera.worker].append(camera)
            loads[camera.worker].add(camera)
        elif _captured(camera, workers):
            leaving.append(camera)
        else:
            homeless.append(camera)
    for name, there in at_home.items():
        if loads[name].over(budget):
            leaving += there
    return [*_heaviest_first(homeless), *_heaviest_first(leaving)]


def _captured(camera: CameraState, workers: Mapping[str, WorkerState]) -> bool:
    worker = workers.get(camera.worker or "")
    return worker is not None and worker.captures


def _may_stay(camera: CameraState, workers: Mapping[str, WorkerState]) -> bool:
    """Does somebody capture it where it is, or will again?"""
    worker = workers.get(camera.worker or "")
    return worker is not None and worker.life is not Life.GONE and worker.pool == camera.pool


def _open(workers: Mapping[str, WorkerState]) -> dict[str, _Load]:
    """The workers that take cameras, by name: the lowest ordinal first."""
    by_number = sorted(workers.values(), key=lambda one: (one.ordinal, one.name))
    return {one.name: _Load() for one in by_number if one.life is Life.OPEN}


def _assign(
    queue: Iterable[CameraState], loads: Mapping[str, _Load], budget: Budget
) -> dict[str, str]:
    """Give each camera of a queue to whoever has room, in its order."""
    moves: dict[str, str] = {}
    free = [(*load.taken, number, name) for number, (name, load) in enumerate(loads.items())]
    heapq.heapify(free)
    for camera in queue:
        home = loads.get(camera.worker or "")
        if home is not None and not home.over(budget):
            continue  # heavier ones went: so the fewest
        holder = loads.get(camera.previous or "") if camera.yielded else None
        if camera.previous is not None and holder is not None and holder.fits_back(budget):
            holder.take_back(camera)
            target: str | None = camera.previous
        else:
            target = _least_loaded(free, loads, camera, budget)
        if target is not None:
            moves[camera.name] = target
            if home is not None:
                home.give(camera)
    return moves


def _heaviest_first(cameras: Iterable[CameraState]) -> list[CameraState]:
    return sorted(cameras, key=lambda camera: (-camera.weight, camera.name))


def _least_loaded(
    free: list[tuple[int, int, int, str]],
    loads: Mapping[str, _Load],
    camera: CameraState,
    budget: Budget,
) -> str | None:
    """The worker that takes the camera. As all have one budget, the least loaded one decides."""
    while free:
        _, _, number, name = free[0]
        load = loads[name]
        if load.taken[1] >= budget.cameras:
            heapq.heappop(free)  # full for every camera
            continue
        if not load.fits(camera, budget):
            return None
        load.add(camera)
        heapq.heapreplace(free, (*load.taken, number, name))
        return name
    return None


@dataclass(frozen=True, slots=True)
class Rebalance:
    """How far loads may differ, and how many cameras may move for it now.

    Attributes:
        skew_percent: Of a worker's budget, between the most and the least loaded.
        moves: At most.
    """

    skew_percent: int
    moves: int


def rebalance(
    cameras: Iterable[CameraState],
    workers: Mapping[str, WorkerState],
    budget: Budget,
    rule: Rebalance,
    foreign: Iterable[CameraState] = (),
) -> Mapping[str, str]:
    """Moves that bring the loads of a settled pool closer together, by camera; often none.

    Each goes from the most to the least loaded worker and is at most half of what they differ by,
    so that it never has to be undone. A camera whose handover is under way is left alone; what is
    foreign (see `place`) only takes room.
    """
    loads = {name: _Load() for name, one in workers.items() if one.life is Life.OPEN}
    _leave(foreign, loads)
    there: dict[str, list[CameraState]] = {name: [] for name in loads}
    for camera in cameras:
        if camera.worker is not None and camera.worker in loads:
            loads[camera.worker].add(camera)
            if camera.previous is None:
                there[camera.worker].append(camera)
        if camera.yielded and camera.previous in loads:
            loads[camera.previous].leave(camera)
    moves: dict[str, str] = {}
    for found in there.values():
        found.sort(key=lambda camera: (camera.weight, not camera.exclusive, camera.name))
    while len(moves) < rule.moves and len(loads) > 1:
        by_load = sorted(loads, key=lambda name: (loads[name].weight, workers[name].ordinal, name))
        least, most = by_load[0], by_load[-1]
        gap = loads[most].weight - loads[least].weight
        if gap * PERCENT <= rule.skew_percent * budget.weight:
            break
        fitting = [
            camera
            for camera in there[most]
            if 2 * camera.weight <= gap and loads[least].fits(camera, budget)
        ]
        if not fitting:
            break
        camera = fitting[-1]
        there[most].remove(camera)
        loads[most].give(camera)
        loads[least].add(camera)
        moves[camera.name] = least
    return moves
