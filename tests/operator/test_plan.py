"""What is written of each camera: assignments, epochs, handovers, and why a camera has nobody."""

from collections.abc import Mapping
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest_core.model import Assignment
from ingest_operator.plan import Cause, Lack, Plan, PoolRules, Reason, Write, plan
from ingest_operator.state import CameraState, Life, WorkerState
from tests.fakes.states import (
    LATER,
    NOW,
    after,
    camera,
    fleet,
    not_ready,
    rules,
    unassigned,
    worker,
    written,
)

VERSION = 5000
TWO = fleet("default-0", "default-1")
LEAVING = fleet("default-1", default_0=Life.LEAVING)
LOST = fleet("default-1", default_0=Life.LOST)


def planned(
    *cameras: CameraState, workers: Mapping[str, WorkerState] = TWO, **pools: PoolRules
) -> Plan:
    version = max((one.version for one in cameras), default=0)
    return plan(cameras, workers, pools or {"default": rules()}, LATER, version)


def only(made: Plan) -> Write:
    (write,) = made.writes
    return write


def at(name: str = "default-0", **known: object) -> CameraState:
    return camera(**{"worker": name, "epoch": 7, **known})  # type: ignore[arg-type]


# Assigning


def test_a_new_camera_is_given_to_a_worker_and_says_so() -> None:
    write = only(planned(camera(version=812)))
    assert write.assignment == Assignment(worker="default-0", epoch=812, time=LATER)
    said = write.assigned
    assert (said.type, said.status, said.reason) == ("Assigned", "True", Reason.ASSIGNED)
    assert (said.last_transition_time, said.observed_generation) == (LATER, 1)
    assert (write.ready, write.cause) == (None, Cause.NEW)


def test_a_camera_that_is_where_it_should_be_is_left_alone() -> None:
    assert planned(at()).writes == ()


def test_the_first_epoch_is_the_version_of_the_object_and_each_further_one_is_one_more() -> None:
    """So it is above every epoch of a camera of the same name that was deleted."""
    first = written(only(planned(camera(version=812))))
    assert first.epoch == 812
    moved = written(only(planned(first, workers=LOST)))
    assert moved.epoch == 813
    taken = written(only(planned(moved, workers={})))
    assert taken.epoch == 814
    again = written(only(planned(taken)))
    assert again.epoch == 815


def test_an_epoch_begins_above_zero_even_without_a_version() -> None:
    assert written(only(planned(camera(version=0)))).epoch == 1


def test_a_changed_spec_is_acknowledged_and_nothing_else_changes() -> None:
    write = only(planned(at(generation=2)))
    assert write.assigned.observed_generation == 2
    assert write.assigned.last_transition_time == NOW
    assert write.assignment == Assignment(worker="default-0", epoch=7, time=NOW)
    assert (write.ready, write.cause) == (None, None)


def test_a_camera_that_is_being_deleted_is_left_alone_and_keeps_its_room_until_it_is_gone() -> None:
    """A finalizer may hold it for long, and its worker captures it all the while."""
    ending, new = at(deleting=True, weight=1000), camera("new")
    write = only(planned(ending, new, workers=fleet("default-0")))
    assert (write.camera.name, write.assigned.reason) == ("new", Reason.CAPACITY_EXHAUSTED)
    assert only(planned(new, workers=fleet("default-0"))).assigned.status == "True"


def test_so_does_one_in_a_handover_with_both_of_its_workers() -> None:
    ending = at(deleting=True, weight=950, previous="default-1")
    assert planned(ending, camera("new")).writes[0].assigned.reason == Reason.CAPACITY_EXHAUSTED
    let_go = replace(ending, released=7)
    given_ = only(planned(let_go, camera("new"))).assignment
    assert given_ is not None
    assert given_.worker == "default-1"


def test_and_stops_no_pool_from_being_evened_out() -> None:
    ending = camera("ending", worker="default-1", deleting=True)
    made = planned(*loaded(), ending, default=rules(moves=2))
    assert made.rebalancing == {"default": 2}


# Who captures it hands it over


@pytest.mark.parametrize("exclusive", [False, True])
def test_a_living_worker_that_captures_a_camera_becomes_its_previous(*, exclusive: bool) -> None:
    write = only(planned(at(exclusive=exclusive), workers=LEAVING))
    expected = Assignment(worker="default-1", previous="default-0", epoch=8, time=LATER)
    assert (write.assignment, write.cause) == (expected, Cause.DRAIN)


@pytest.mark.parametrize("life", [Life.LOST, Life.GONE, None])
def test_a_worker_that_does_not_live_hands_nothing_over(life: Life | None) -> None:
    workers = fleet("default-1") if life is None else fleet("default-1", default_0=life)
    write = only(planned(at(), workers=workers))
    assert write.assignment == Assignment(worker="default-1", epoch=8, time=LATER)
    assert write.cause == Cause.WORKER_LOST


HANDOVER = [
    # exclusive, releasedEpoch, connected epoch, life of the previous worker, is it over?
    (False, 0, 0, Life.LEAVING, False),
    (False, 0, 7, Life.LEAVING, True),  # the new one is connected
    (False, 0, 6, Life.LEAVING, False),  # the old one still is
    (False, 7, 0, Life.LEAVING, True),  # the old one let go
    (False, 6, 0, Life.LEAVING, False),  # of an earlier assignment
    (False, 0, 0, Life.LOST, True),
    (False, 0, 0, Life.GONE, True),
    (False, 0, 0, None, True),
    (True, 0, 0, Life.OPEN, False),
    (True, 0, 7, Life.OPEN, False),  # an Exclusive one ends only when the old one let go
    (True, 7, 0, Life.OPEN, True),
    (True, 6, 0, Life.OPEN, False),
    (True, 0, 0, Life.LOST, True),
]


@pytest.mark.parametrize(("exclusive", "released", "connected", "life", "over"), HANDOVER)
def test_previous_is_cleared_when_it_has_nothing_any_more(
    *, exclusive: bool, released: int, connected: int, life: Life | None, over: bool
) -> None:
    handed = at("default-1", previous="default-0", exclusive=exclusive)
    handed = replace(handed, released=released, connected=connected)
    workers = fleet("default-1") if life is None else fleet("default-1", default_0=life)
    made = planned(handed, workers=workers)
    if over:
        write = only(made)
        assert write.assignment == Assignment(worker="default-1", epoch=7, time=NOW)
        assert write.cause is None
    else:
        assert made.writes == ()


def test_a_new_worker_that_is_lost_in_mid_handover_leaves_the_camera_with_who_captures_it() -> None:
    handed = at("default-1", previous="default-0")
    workers = fleet("default-2", default_0=Life.LEAVING, default_1=Life.LOST)
    expected = Assignment(worker="default-2", previous="default-0", epoch=8, time=LATER)
    assert only(planned(handed, workers=workers)).assignment == expected


def test_a_new_worker_that_drains_in_mid_handover_keeps_the_true_holder_as_previous() -> None:
    handed = at("default-1", previous="default-0", exclusive=True)
    workers = fleet("default-2", default_0=Life.LEAVING, default_1=Life.LEAVING)
    expected = Assignment(worker="default-2", previous="default-0", epoch=8, time=LATER)
    assert only(planned(handed, workers=workers)).assignment == expected


@pytest.mark.parametrize(("released", "connected"), [(7, 0), (0, 7)])
def test_a_new_worker_that_has_taken_over_is_the_holder(released: int, connected: int) -> None:
    handed = at("default-1", previous="default-0")
    handed = replace(handed, released=released, connected=connected)
    workers = fleet("default-2", default_0=Life.LEAVING, default_1=Life.LEAVING)
    expected = Assignment(worker="default-2", previous="default-1", epoch=8, time=LATER)
    assert only(planned(handed, workers=workers)).assignment == expected


def heir(life: Life) -> Write:
    """What is written of a Camera whose predecessor default-1 captured."""
    one, left = camera(exclusive=True), {"lobby": "default-1"}
    workers = fleet("default-0", default_1=life)
    made = plan([one], workers, {"default": rules()}, LATER, VERSION, predecessors=left)
    return only(made)


@pytest.mark.parametrize("life", [Life.OPEN, Life.LEAVING])
def test_an_exclusive_camera_that_is_made_anew_is_handed_over_by_who_had_the_one_before(
    life: Life,
) -> None:
    """It hears of the end after the operator did, and closes its session after that."""
    write = heir(life)
    expected = Assignment(worker="default-0", previous="default-1", epoch=VERSION, time=LATER)
    assert (write.assignment, write.cause) == (expected, Cause.NEW)
    left, waits = {"lobby": "default-1"}, written(write)
    pools, rest = {"default": rules()}, (LATER, VERSION)
    assert plan([waits], TWO, pools, *rest, predecessors=left).writes == ()
    released = replace(waits, released=VERSION)
    let_go = only(plan([released], TWO, pools, *rest, predecessors=left))
    assert let_go.assignment == Assignment(worker="default-0", epoch=VERSION, time=LATER)


@pytest.mark.parametrize("life", [Life.LOST, Life.GONE])
def test_but_not_by_one_that_does_not_live(life: Life) -> None:
    expected = Assignment(worker="default-0", epoch=VERSION, time=LATER)
    assert heir(life).assignment == expected


def test_a_worker_hands_nothing_over_to_itself() -> None:
    full = camera("full", worker="default-0", weight=1000)
    left, new = {"lobby": "default-1"}, camera(exclusive=True)
    made = plan([full, new], TWO, {"default": rules()}, LATER, VERSION, predecessors=left)
    expected = Assignment(worker="default-1", epoch=VERSION, time=LATER)
    assert only(made).assignment == expected


def test_a_shared_camera_that_is_made_anew_waits_for_nobody() -> None:
    left = {"lobby": "default-1"}
    made = plan([camera()], TWO, {"default": rules()}, LATER, VERSION, predecessors=left)
    assert only(made).assignment == Assignment(worker="default-0", epoch=VERSION, time=LATER)


def test_a_camera_that_goes_back_to_its_holder_is_not_handed_over() -> None:
    handed = at("default-1", previous="default-0", exclusive=True)
    workers = fleet("default-0", default_1=Life.LEAVING)
    expected = Assignment(worker="default-0", epoch=8, time=LATER)
    assert only(planned(handed, workers=workers)).assignment == expected


def test_a_camera_that_nobody_can_take_over_stays_in_its_handover() -> None:
    handed = at("default-1", previous="default-0")
    workers = fleet(default_0=Life.LEAVING, default_1=Life.LEAVING)
    assert planned(handed, workers=workers).writes == ()


# Nobody


@pytest.mark.parametrize(
    ("weight", "workers", "reason", "message"),
    [
        (100, {}, Reason.NO_WORKER, "pool 'default' has no live worker"),
        (
            100,
            fleet(default_0=Life.LOST),
            Reason.NO_WORKER,
            "pool 'default' has no live worker",
        ),
        (
            100,
            TWO,
            Reason.CAPACITY_EXHAUSTED,
            "no worker of pool 'default' has room for weight 100",
        ),
        (
            1001,
            TWO,
            Reason.CAPACITY_EXHAUSTED,
            "its weight 1001 is more than a worker of pool 'default' may take (1000)",
        ),
    ],
)
def test_a_camera_that_has_nobody_says_why_and_that_it_is_not_ready(
    weight: int, workers: Mapping[str, WorkerState], reason: str, message: str
) -> None:
    full = [camera(f"full-{n}", weight=950, worker=f"default-{n}") for n in (0, 1)]
    made = planned(camera(weight=weight), *full, workers=workers)
    write = next(write for write in made.writes if write.camera.name == "lobby")
    assert write.assignment is None
    assert write.assigned == unassigned(reason, message, since=LATER)
    assert write.ready == not_ready(reason, message, since=LATER)
    assert write.cause is None


def test_a_camera_whose_worker_will_not_come_back_is_taken_from_it() -> None:
    write = only(planned(at(), workers=fleet(default_0=Life.GONE)))
    assert write.assignment == Assignment(epoch=8, time=LATER)
    assert (write.assigned.reason, write.cause) == (Reason.NO_WORKER, Cause.UNPLACED)


def test_a_camera_without_room_elsewhere_stays_with_its_lost_worker_and_says_so() -> None:
    write = only(planned(at(), workers=fleet(default_0=Life.LOST)))
    assert write.assignment == Assignment(worker="default-0", epoch=7, time=NOW)
    assert (write.assigned.status, write.assigned.reason) == ("False", Reason.WORKER_LOST)
    assert write.assigned.message == "worker default-0 is lost, and no other has room"
    assert write.ready is not None
    assert (write.ready.type, write.ready.status) == ("Ready", "False")
    back = written(write)
    assert only(planned(back)).assigned.status == "True", "the worker came back"


def test_a_camera_that_a_leaving_worker_must_keep_is_assigned_all_the_same() -> None:
    assert planned(at(), workers=fleet(default_0=Life.LEAVING)).writes == ()


def test_a_condition_is_as_old_as_its_status() -> None:
    before = camera(assigned=unassigned(Reason.NO_WORKER, "none"), ready=not_ready("X", ""))
    full = camera("full", weight=1000, worker="default-0")
    made = planned(before, full, workers=fleet("default-0"))
    assert only(made).assigned.reason == Reason.CAPACITY_EXHAUSTED
    assert only(made).assigned.last_transition_time == NOW
    assert only(made).ready.last_transition_time == NOW  # type: ignore[union-attr]


def test_without_room_is_counted_and_without_a_worker_is_not() -> None:
    full = camera("full", weight=1000, worker="default-0")
    one, none = {"default": Lack(cameras=1)}, {"default": Lack()}
    assert planned(full, camera(), workers=fleet("default-0")).exhausted == one
    leaving = fleet("default-0", default_1=Life.LEAVING)
    stays = camera("stays", worker="default-1")
    assert planned(full, stays, workers=leaving).exhausted == one
    assert planned(camera(), workers={}).exhausted == none


def test_what_fits_no_worker_at_all_is_counted_by_itself() -> None:
    full, heavy = camera("full", weight=1000, worker="default-0"), camera("heavy", weight=1001)
    made = planned(full, camera(), heavy, workers=fleet("default-0"))
    assert made.exhausted == {"default": Lack(cameras=1, too_heavy=1)}
    assert planned(heavy).exhausted == {"default": Lack(too_heavy=1)}


# Pools


def test_a_pool_that_is_not_there_takes_its_cameras_assignments_with_it() -> None:
    write = only(planned(at(), other=rules()))
    assert write.assignment == Assignment(epoch=8, time=LATER)
    assert write.assigned.reason == Reason.POOL_NOT_FOUND
    assert write.assigned.message == "there is no CameraPool 'default' in this namespace"
    assert write.cause == Cause.POOL
    assert planned(written(write), other=rules()).writes == ()


def test_a_camera_that_names_no_pool_that_exists_says_so() -> None:
    write = only(planned(camera(pool="typo")))
    assert (write.assignment, write.assigned.reason) == (None, Reason.POOL_NOT_FOUND)
    assert write.ready is not None


@pytest.mark.parametrize("exclusive", [False, True])
def test_an_exclusive_camera_that_is_taken_away_must_be_let_go_of_first(*, exclusive: bool) -> None:
    """Somebody else may get it at once, and would find it busy."""
    taken = written(only(planned(at(exclusive=exclusive), other=rules())))
    assert (taken.worker, taken.previous) == (None, "default-0" if exclusive else None)
    back = written(only(planned(replace(taken, pool="other"), workers=both(), other=rules())))
    assert (back.worker, back.previous) == ("other-0", "default-0" if exclusive else None)


def test_and_is_nobodys_once_it_was_let_go_of() -> None:
    taken = written(only(planned(at(exclusive=True), other=rules())))
    assert planned(taken, other=rules()).writes == ()
    released = replace(taken, released=8)
    write = only(planned(released, other=rules()))
    assert (write.assignment, write.cause) == (Assignment(epoch=8, time=LATER), None)


def both() -> Mapping[str, WorkerState]:
    return fleet("default-0", "other-0")


def test_a_camera_that_asks_for_another_pool_is_handed_over_to_it() -> None:
    made = planned(at(pool="other"), workers=both(), default=rules(), other=rules())
    expected = Assignment(worker="other-0", previous="default-0", epoch=8, time=LATER)
    assert (only(made).assignment, only(made).cause) == (expected, Cause.POOL)


def test_and_is_nobodys_when_that_has_no_room() -> None:
    made = planned(at(pool="other"), workers=both(), default=rules(), other=rules(weight=50))
    assert only(made).assignment == Assignment(epoch=8, time=LATER)
    assert only(made).assigned.reason == Reason.CAPACITY_EXHAUSTED


def test_its_room_is_given_to_others_only_when_it_has_left() -> None:
    leaves, comes = at(pool="other", weight=600), camera("comes", weight=600)
    workers = fleet("default-0", "other-0")
    pools = {"default": rules(), "other": rules()}
    first = plan([leaves, comes], workers, pools, NOW, VERSION)
    assert {w.camera.name: w.assignment and w.assignment.worker for w in first.writes} == {
        "lobby": "other-0",
        "comes": None,
    }
    yielded, waits = after([leaves, comes], first.writes)
    assert plan([yielded, waits], workers, pools, NOW, VERSION).writes == ()
    connected = replace(yielded, connected=yielded.epoch)
    second = plan([connected, waits], workers, pools, NOW, VERSION)
    assert {w.camera.name: w.assignment and w.assignment.worker for w in second.writes} == {
        "lobby": "other-0",
        "comes": "default-0",
    }


def test_nor_is_a_pool_evened_out_that_yields_a_camera_to_another_one() -> None:
    went = camera("went", worker="other-0", pool="other", previous="default-1")
    pools = {"default": rules(moves=2), "other": rules()}
    assert planned(*loaded(), went, workers={**TWO, **both()}, **pools).writes == ()


def test_pools_do_not_touch_each_other() -> None:
    cameras = [at(), camera("other", worker="other-0", pool="other")]
    workers = fleet("default-1", "other-0", default_0=Life.LOST)
    made = planned(*cameras, workers=workers, default=rules(), other=rules())
    assert [write.camera.name for write in made.writes] == ["lobby"]


# Budgets and evening out


def test_a_budget_that_was_lowered_moves_cameras_for_that_reason() -> None:
    made = planned(at(weight=600), camera("b", weight=300, worker="default-0"), default=rules(800))
    assert (only(made).camera.name, only(made).cause) == ("lobby", Cause.BUDGET)


def loaded() -> list[CameraState]:
    return [camera(f"c{n}", worker="default-0") for n in range(8)]


def test_a_settled_pool_is_evened_out_and_nothing_else_is() -> None:
    evened = planned(*loaded(), default=rules(moves=2))
    assert [write.cause for write in evened.writes] == [Cause.REBALANCE] * 2
    assert evened.rebalancing == {"default": 2}
    assert all(w.assignment and w.assignment.previous == "default-0" for w in evened.writes)
    unsettled = planned(*loaded(), camera("new"), default=rules(moves=2))
    assert [write.cause for write in unsettled.writes] == [Cause.NEW]


def test_a_camera_that_fits_no_worker_does_not_stop_a_pool_from_being_evened_out() -> None:
    made = planned(*loaded(), camera("whale", weight=5000), default=rules(moves=2))
    assert made.rebalancing == {"default": 2}


def test_room_that_a_yielding_worker_still_uses_is_not_given_away() -> None:
    moving = at("default-1", weight=900, previous="default-0")
    made = planned(moving, camera("new", weight=900), default=rules())
    assert only(made).assigned.reason == Reason.CAPACITY_EXHAUSTED
    connected = planned(replace(moving, connected=7), camera("new", weight=900), default=rules())
    given = [w.assignment for w in connected.writes if w.camera.name == "new"]
    assert [one and one.worker for one in given] == ["default-0"]


def test_cameras_of_a_pool_that_cannot_be_read_are_left_alone() -> None:
    cameras = [at(), camera("new")]
    assert plan(cameras, TWO, {}, LATER, VERSION, unreadable={"default"}).writes == ()


def test_a_pool_that_another_ones_camera_still_leaves_is_not_evened_out() -> None:
    foreign = camera("foreign", worker="default-0", pool="other")
    pools = {"default": rules(moves=2), "other": rules()}
    made = planned(*loaded(), foreign, workers={**TWO, **fleet("other-0")}, **pools)
    assert [write.cause for write in made.writes] == [Cause.POOL]


def test_what_nobody_captures_is_written_first_then_handovers_then_what_is_only_said() -> None:
    workers = fleet("default-1", default_0=Life.LOST, default_2=Life.LEAVING)
    cameras = [
        camera("said", weight=1, generation=9, worker="default-1"),
        camera("moved", weight=300, worker="default-2"),
        camera("lost", weight=50, worker="default-0"),
        camera("new", weight=60),
    ]
    made = planned(*cameras, workers=workers)
    assert [write.camera.name for write in made.writes] == ["new", "lost", "moved", "said"]


# Properties

NAMES = ["default-0", "default-1", "default-2", "other-0", "other-1"]


@st.composite
def worlds(draw: st.DrawFn) -> tuple[list[CameraState], dict[str, WorkerState]]:
    """Cameras in whichever state, and workers of two pools."""
    lives = st.sampled_from([Life.OPEN, Life.OPEN, *Life])
    known = draw(st.lists(st.sampled_from(NAMES), unique=True))
    cameras = []
    for number in range(draw(st.integers(0, 10))):
        epoch = draw(st.sampled_from([0, 5]))
        holder, before = draw(st.none() | st.sampled_from(NAMES)), None
        if epoch:
            before = draw(st.none() | st.sampled_from([n for n in NAMES if n != holder]))
        one = camera(
            f"c{number}",
            weight=draw(st.integers(1, 120)),
            pool=draw(st.sampled_from(["default", "other", "missing"])),
            exclusive=draw(st.booleans()),
            worker=holder if epoch else None,
            epoch=epoch,
            previous=before,
            id=draw(st.sampled_from([f"c{number}", f"c{number}", "c0"])),
            created=draw(st.sampled_from([NOW, LATER])),
            deleting=draw(st.sampled_from([False, False, False, True])),
        )
        seen = draw(st.sampled_from([0, 4, 5])), draw(st.sampled_from([0, 4, 5]))
        cameras.append(replace(one, released=seen[0], connected=seen[1]))
    return cameras, {name: worker(name, draw(lives)) for name in known}


POOLS = {"default": rules(200, 4, moves=3), "other": rules(150, 6, skew=5, moves=1)}


@given(worlds(), st.randoms(use_true_random=False))
def test_the_order_of_what_comes_in_does_not_matter(
    world: tuple[list[CameraState], dict[str, WorkerState]], random: Random
) -> None:
    cameras, workers = world
    mixed = list(cameras)
    random.shuffle(mixed)
    backwards = dict(reversed(workers.items()))
    pools = dict(reversed(POOLS.items()))
    assert plan(cameras, workers, POOLS, NOW, VERSION) == plan(
        mixed, backwards, pools, NOW, VERSION
    )


QUIET = {name: replace(one, rebalance=rules().rebalance) for name, one in POOLS.items()}


@given(worlds())
def test_once_a_plan_was_applied_there_is_nothing_to_write(
    world: tuple[list[CameraState], dict[str, WorkerState]],
) -> None:
    """Unless it freed room on a worker that takes cameras: that is given away when it is free."""
    cameras, workers = world
    made = plan(cameras, workers, QUIET, NOW, VERSION)
    again = plan(after(cameras, made.writes), workers, QUIET, NOW, VERSION)
    homes = {write.camera.worker for write in made.writes if write.cause is not None}
    freed = any(one.name in homes and one.life is Life.OPEN for one in workers.values())
    assert freed or not again.writes


@given(worlds())
def test_planning_comes_to_rest(
    world: tuple[list[CameraState], dict[str, WorkerState]],
) -> None:
    cameras, workers = world
    for _ in range(4):
        cameras = after(cameras, plan(cameras, workers, QUIET, NOW, VERSION).writes)
    assert not plan(cameras, workers, QUIET, NOW, VERSION).writes


@given(worlds())
def test_every_write_is_one_that_the_api_server_takes(
    world: tuple[list[CameraState], dict[str, WorkerState]],
) -> None:
    """The rules of the CRD: docs of `status.assignment`."""
    for write in plan(*world, POOLS, LATER, VERSION).writes:
        there, made = write.camera, write.assignment
        if made is None:
            assert there.epoch == 0, "an assignment that once was stays"
            continue
        assert made.epoch >= max(1, there.epoch)
        if (made.worker, made.previous) != (there.worker, there.previous):
            grown = made.epoch > there.epoch
            assert grown or (made.worker == there.worker and made.previous is None)
        assert made.previous is None or made.previous != made.worker
        assert (write.cause is not None) == (made.worker != there.worker)


@given(worlds())
def test_no_worker_is_given_more_than_its_budget_whichever_of_the_writes_come(
    world: tuple[list[CameraState], dict[str, WorkerState]],
) -> None:
    """Whatever it may capture still counts: whose pool, id and end that is makes no difference."""
    cameras, workers = world
    made = plan(cameras, workers, POOLS, NOW, VERSION).writes
    given_ = {w.camera.name: w.assignment.worker for w in made if w.assignment and w.cause}
    for target in set(given_.values()) - {None}:
        there = [
            one
            for one in cameras
            if target in (one.worker, given_.get(one.name), one.previous if one.yielded else None)
        ]
        budget = POOLS[workers[target or ""].pool].budget
        assert sum(one.weight for one in there) <= budget.weight
        assert len(there) <= budget.cameras


@given(worlds())
def test_no_camera_loses_a_worker_that_may_have_it(
    world: tuple[list[CameraState], dict[str, WorkerState]],
) -> None:
    cameras, workers = world
    for write in plan(cameras, workers, POOLS, NOW, VERSION).writes:
        there, home = write.camera, workers.get(write.camera.worker or "")
        if write.cause in (None, Cause.REBALANCE, Cause.DUPLICATE_ID) or home is None:
            continue
        own = [one for one in cameras if one.worker == home.name and one.pool == home.pool]
        budget = POOLS[home.pool].budget
        over = sum(one.weight for one in own) > budget.weight or len(own) > budget.cameras
        assert home.life is not Life.OPEN or home.pool != there.pool or over
