"""What a plan costs: `plan` alone, on made-up states, from 100 cameras to 10,000 of 100 workers.

Cold: nothing is assigned. Settled: everything is, and there is nothing to do. The least of five, in
milliseconds; the ratio is of the cost of one camera.
"""

import time
from dataclasses import replace
from typing import Final

from bench.line import TIMES, Line
from ingest_operator.placement import Budget, Rebalance
from ingest_operator.plan import Plan, PoolRules, plan
from ingest_operator.state import CameraState, Life, WorkerState

SIZES: Final = (100, 300, 1000, 3000, 10000)
PER_WORKER: Final = 100
RULES: Final = {"default": PoolRules(Budget(1000, PER_WORKER + 20), Rebalance(20, 10))}
VERSION: Final = 2 * SIZES[-1]
_TRIES: Final = 5
_NOW: Final = "2026-11-24T00:00:00.000Z"


def measure() -> list[Line]:
    lines = []
    cost: dict[str, dict[int, float]] = {"cold": {}, "settled": {}}
    for size in SIZES:
        workers = {
            f"default-{number}": WorkerState(f"default-{number}", "default", number, Life.OPEN)
            for number in range(size // PER_WORKER)
        }
        cold = [_camera(number) for number in range(size)]
        cost["cold"][size], made = _timed(cold, workers)
        settled = _applied(cold, made)
        cost["settled"][size], _ = _timed(settled, workers)
    for what, seconds in cost.items():
        curve = ", ".join(f"{size}: {1e3 * seconds[size]:.1f} ms" for size in SIZES)
        grown = (seconds[SIZES[-1]] / SIZES[-1]) / (seconds[SIZES[0]] / SIZES[0])
        lines.append(
            Line(f"plan, {what}: a camera's cost, 10,000 against 100", grown, TIMES, None, curve)
        )
    return lines


def _timed(cameras: list[CameraState], workers: dict[str, WorkerState]) -> tuple[float, Plan]:
    times = []
    made = plan(cameras, workers, RULES, _NOW, VERSION)
    for _ in range(_TRIES):
        began = time.perf_counter()
        made = plan(cameras, workers, RULES, _NOW, VERSION)
        times.append(time.perf_counter() - began)
    return min(times), made


def _camera(number: int, worker: str | None = None) -> CameraState:
    return CameraState(
        name=f"cam-{number:05}",
        id=f"cam-{number:05}",
        uid=str(number),
        created=_NOW,
        version=number + 1,
        generation=1,
        deleting=False,
        pool="default",
        weight=9,
        exclusive=False,
        secrets=(),
        worker=worker,
        epoch=1 if worker else 0,
        previous=None,
        since="",
        released=0,
        connected=0,
        assigned=None,
        ready=None,
    )


def _applied(cameras: list[CameraState], made: Plan) -> list[CameraState]:
    """The cameras after the plan was written."""
    by_name = {camera.name: camera for camera in cameras}
    for write in made.writes:
        assert write.assignment is not None
        by_name[write.camera.name] = replace(
            write.camera,
            worker=write.assignment.worker,
            epoch=write.assignment.epoch,
            since=write.assignment.time or "",
            assigned=write.assigned,
        )
    return list(by_name.values())
