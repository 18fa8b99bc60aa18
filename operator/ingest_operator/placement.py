"""Decide which worker captures which camera. Pure: no cluster, no clock, no chance.

Sticky: a camera that still fits where it is stays. What must be placed goes to the least loaded
worker that has room: first what nobody captures, then what a leaving worker still does, each
heaviest first (longest processing time first, Graham 1969). Nothing goes beyond a budget; what
finds no room stays where it is, if somebody captures it there or will again. One worker lost moves
only its own cameras.
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
    weight: int = 0
    cameras: int = 0

    def fits(self, camera: CameraState, budget: Budget) -> bool:
        within = self.weight + camera.weight <= budget.weight
        return within and self.cameras < budget.cameras

    def add(self, camera: CameraState) -> None:
        self.weight += camera.weight
        self.cameras += 1

    def take(self, camera: CameraState) -> None:
        self.weight -= camera.weight
        self.cameras -= 1


def place(
    cameras: Iterable[CameraState], workers: Mapping[str, WorkerState], budget: Budget
) -> Placement:
    """Place the cameras of one pool.

    Args:
        cameras: Every camera that names the pool.
        workers: Every worker that is known, of this pool and of others, by name.
        budget: Of each worker of this pool.
    """
    loads = {
        name: _Load()
        for name, worker in sorted(workers.items(), key=lambda item: item[1].ordinal)
        if worker.life is Life.OPEN
    }
    homeless: list[CameraState] = []
    leaving: list[CameraState] = []
    at_home: dict[str, list[CameraState]] = {name: [] for name in loads}
    for camera in cameras:
        if camera.worker is not None and camera.worker in loads:
            at_home[camera.worker].append(camera)
        elif _captured(camera, workers):
            leaving.append(camera)
        else:
            homeless.append(camera)
    for name, there in at_home.items():
        leaving += _keep(loads[name], there, budget)
    moves: dict[str, str] = {}
    unplaced: set[str] = set()
    waiting: set[str] = set()
    free = [
        (load.weight, load.cameras, number, name)
        for number, (name, load) in enumerate(loads.items())
    ]
    heapq.heapify(free)
    for camera in (*_heaviest_first(homeless), *_heaviest_first(leaving)):
        target = _least_loaded(free, loads, camera, budget)
        if target is not None:
            moves[camera.name] = target
        elif _may_stay(camera, workers):
            waiting.add(camera.name)
        else:
            unplaced.add(camera.name)
    return Placement(moves, frozenset(unplaced), frozenset(waiting))


def _captured(camera: CameraState, workers: Mapping[str, WorkerState]) -> bool:
    worker = workers.get(camera.worker or "")
    return worker is not None and worker.captures


def _may_stay(camera: CameraState, workers: Mapping[str, WorkerState]) -> bool:
    """Does somebody capture it where it is, or will again?"""
    worker = workers.get(camera.worker or "")
    return worker is not None and worker.life is not Life.GONE and worker.pool == camera.pool


def _keep(load: _Load, there: list[CameraState], budget: Budget) -> list[CameraState]:
    """Count what a worker has; gives what is too much: the heaviest, so as to move the fewest."""
    for camera in there:
        load.add(camera)
    if load.weight <= budget.weight and load.cameras <= budget.cameras:
        return []
    over = []
    for camera in _heaviest_first(there):
        if load.weight <= budget.weight and load.cameras <= budget.cameras:
            break
        load.take(camera)
        over.append(camera)
    return over


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
        if load.cameras >= budget.cameras:
            heapq.heappop(free)  # full for every camera
            continue
        if not load.fits(camera, budget):
            return None
        load.add(camera)
        heapq.heapreplace(free, (load.weight, load.cameras, number, name))
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
) -> Mapping[str, str]:
    """Moves that bring the loads of a settled pool closer together, by camera; often none.

    Each goes from the most to the least loaded worker and is at most half of what they differ by,
    so that it never has to be undone. A camera whose handover is under way is left alone.
    """
    loads = {name: _Load() for name, one in workers.items() if one.life is Life.OPEN}
    there: dict[str, list[CameraState]] = {name: [] for name in loads}
    for camera in cameras:
        if camera.worker is not None and camera.worker in loads:
            loads[camera.worker].add(camera)
            if camera.previous is None:
                there[camera.worker].append(camera)
    moves: dict[str, str] = {}
    for found in there.values():
        found.sort(key=lambda camera: (camera.weight, not camera.exclusive, camera.name))
    while len(moves) < rule.moves and len(loads) > 1:
        by_load = sorted(loads, key=lambda name: (loads[name].weight, workers[name].ordinal))
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
        loads[most].take(camera)
        loads[least].add(camera)
        moves[camera.name] = least
    return moves
