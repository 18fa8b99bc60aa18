"""What the operator says of a pool."""

from collections.abc import Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from ingest_core.model import Condition
from ingest_core.pool import CameraPool, PoolStatus
from ingest_operator.plan import Lack
from ingest_operator.pool_status import PoolFacts, pool_status
from ingest_operator.state import CameraState, Life
from tests.fakes.states import LATER, NOW, camera, pool, unassigned, worker

HALF_FULL = [camera("a", weight=400, worker="default-0"), camera("b", weight=600)]


def facts(
    *lives: Life,
    cameras: Sequence[CameraState] = (),
    wanted: int | None = None,
    lack: Lack = Lack(),  # noqa: B008 - a value
    **known: int,
) -> PoolFacts:
    workers = [worker(f"default-{number}", life) for number, life in enumerate(lives)]
    given = {"pods": len(lives), "ready": len(lives), **known}
    wanted = len(lives) if wanted is None else wanted
    return PoolFacts(cameras=cameras, workers=workers, wanted=wanted, lack=lack, **given)


def said(status: PoolStatus, type_: str) -> Condition:
    return next(one for one in status.conditions if one.type == type_)


def told(of: PoolFacts, **spec: Any) -> dict[str, tuple[str, str, str]]:
    status = pool_status(pool(**spec), of, NOW)
    return {one.type: (one.status, one.reason, one.message) for one in status.conditions}


def test_cameras_and_workers_are_counted() -> None:
    of = facts(Life.OPEN, Life.OPEN, Life.LOST, cameras=HALF_FULL, pods=4, ready=3)
    found = pool_status(pool(), of, NOW)
    assert (found.replicas, found.ready_replicas, found.workers) == (4, 3, 2)
    assert (found.cameras, found.assigned, found.unassigned) == (2, 1, 1)
    assert found.utilization_percent == 20  # 400 of what two open workers may take
    assert found.selector == "camera-ingest.io/pool=default,app.kubernetes.io/component=worker"
    assert found.observed_generation == 1


def test_without_an_open_worker_nothing_is_used() -> None:
    assert pool_status(pool(), facts(Life.LOST, cameras=HALF_FULL), NOW).utilization_percent == 0


@pytest.mark.parametrize(
    ("lives", "wanted", "ready", "progressing"),
    [
        ([Life.OPEN, Life.OPEN], 2, ("True", "WorkersReady"), ("False", "Settled")),
        ([Life.OPEN], 2, ("False", "WorkersMissing"), ("True", "Starting")),
        ([Life.OPEN, Life.LOST], 2, ("False", "WorkersMissing"), ("True", "Starting")),
        ([Life.OPEN, Life.LEAVING], 1, ("True", "WorkersReady"), ("True", "Draining")),
        ([], 0, ("True", "WorkersReady"), ("False", "Settled")),
        ([Life.GONE], 0, ("True", "WorkersReady"), ("False", "Settled")),
    ],
)
def test_ready_is_that_every_worker_is_there_and_progressing_that_one_comes_or_goes(
    lives: list[Life], wanted: int, ready: tuple[str, str], progressing: tuple[str, str]
) -> None:
    found = told(facts(*lives, wanted=wanted))
    assert found["Ready"][:2] == ready
    assert found["Progressing"][:2] == progressing


def test_a_condition_that_does_not_hold_says_what_lacks() -> None:
    found = told(facts(Life.OPEN, wanted=3))
    assert found["Ready"][2] == "1 of 3 workers"
    assert found["Progressing"][2] == "waiting for 2 workers"
    found = told(facts(Life.LEAVING, wanted=1))
    assert found["Ready"][2] == "0 of 1 worker"
    assert found["Progressing"][2] == "relieving 1 worker of cameras"


def test_a_worker_lives_with_or_without_a_pod_and_also_while_it_is_relieved() -> None:
    of = facts(Life.OPEN, Life.LEAVING, Life.LOST, Life.GONE, pods=0, ready=0)
    found = pool_status(pool(), of, NOW)
    assert (found.replicas, found.ready_replicas, found.workers) == (0, 0, 2)


def test_a_camera_whose_id_another_one_has_wants_no_room() -> None:
    refused = camera("c", weight=9000, assigned=unassigned("DuplicateId", "x"))
    of = facts(Life.OPEN, Life.OPEN, cameras=[*HALF_FULL, refused])
    found = pool_status(pool(spare_workers=1), of, NOW)
    assert said(found, "CapacityExhausted").status == "False"
    assert (found.cameras, found.assigned, found.unassigned) == (3, 1, 2)


@pytest.mark.parametrize(
    ("lack", "spare", "cameras", "expected"),
    [
        (Lack(), 0, HALF_FULL, ("False", "Room", "")),
        (
            Lack(3),
            0,
            HALF_FULL,
            ("True", "NoRoom", "no room for 3 cameras: add workers, or take cameras away"),
        ),
        (
            Lack(1, 2),
            0,
            HALF_FULL,
            (
                "True",
                "NoRoom",
                (
                    "no room for 1 camera: add workers, or take cameras away; no worker may take "
                    "the weight of 2 cameras: raise weightCapacity (1000), or lower spec.weight"
                ),
            ),
        ),
        (Lack(), 1, HALF_FULL, ("False", "Room", "")),
        (Lack(), 2, HALF_FULL, ("True", "NoSpareWorkers", "1 worker short of spareWorkers")),
        (Lack(), 0, [camera(weight=9000)], ("False", "Room", "")),  # none is wanted
    ],
)
def test_capacity_is_exhausted_when_cameras_or_spare_workers_lack(
    lack: Lack, spare: int, cameras: Sequence[CameraState], expected: tuple[str, str, str]
) -> None:
    of = facts(Life.OPEN, Life.OPEN, cameras=cameras, lack=lack)
    assert told(of, spare_workers=spare)["CapacityExhausted"] == expected


def test_spare_workers_are_counted_by_cameras_too() -> None:
    many = [camera(f"c{number}", weight=1) for number in range(11)]
    of = facts(Life.OPEN, Life.OPEN, cameras=many)
    found = told(of, spare_workers=1, worker_max_cameras=10)
    assert found["CapacityExhausted"][1] == "NoSpareWorkers"


def test_said_twice_it_is_the_same_and_a_condition_is_as_old_as_its_status() -> None:
    of = facts(Life.OPEN, cameras=HALF_FULL)
    first = pool_status(pool(), of, NOW)
    assert pool_status(known(first), of, LATER) == first
    lost = pool_status(known(first), facts(Life.LOST, cameras=HALF_FULL), LATER)
    assert said(lost, "Ready").last_transition_time == LATER
    assert said(lost, "CapacityExhausted").last_transition_time == NOW


def known(status: PoolStatus) -> CameraPool:
    return replace(pool(), status=status)
