"""What is written of Cameras that ask for one id: one is captured, the others say which one."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from ingest_core.model import Assignment
from ingest_operator.plan import Cause, Plan, Reason, Write, plan
from ingest_operator.state import CameraState, Life, WorkerState
from tests.fakes.states import LATER, NOW, after, camera, fleet, rules, written

TWO = fleet("default-0", "default-1")
VERSION = 5000
MESSAGE = (
    "Camera 'old' is older and has the id 'door': delete one of the two, or make this one anew "
    "with another spec.cameraId"
)


def planned(
    *cameras: CameraState, workers: Mapping[str, WorkerState] = TWO, version: int = VERSION
) -> Plan:
    return plan(cameras, workers, {"default": rules()}, LATER, version)


def only(made: Plan) -> Write:
    (write,) = made.writes
    return write


def old(**known: object) -> CameraState:
    return camera("old", id="door", **{"worker": "default-0", **known})


def young(**known: object) -> CameraState:
    return camera("young", id="door", created=LATER, **known)


def test_the_younger_one_gets_no_worker_and_says_who_has_its_id() -> None:
    write = only(planned(old(), young()))
    assert (write.camera.name, write.assignment, write.cause) == ("young", None, None)
    said = write.assigned
    assert (said.status, said.reason, said.message) == ("False", "DuplicateId", MESSAGE)
    assert write.ready is not None
    assert (write.ready.status, write.ready.reason, write.ready.message) == (
        "False",
        Reason.DUPLICATE_ID,
        MESSAGE,
    )
    assert planned(old(), written(write)).writes == ()


def test_one_that_was_captured_loses_its_worker() -> None:
    write = only(planned(old(), young(worker="default-1", epoch=7)))
    assert write.assignment == Assignment(epoch=8, time=LATER)
    assert (write.assigned.reason, write.cause) == (Reason.DUPLICATE_ID, Cause.DUPLICATE_ID)


def test_an_exclusive_one_must_be_let_go_of() -> None:
    write = only(planned(old(), young(worker="default-1", epoch=7, exclusive=True)))
    assert write.assignment == Assignment(previous="default-1", epoch=8, time=LATER)
    taken = written(write)
    assert planned(old(), taken).writes == ()
    let_go = only(planned(old(), replace(taken, released=8)))
    assert let_go.assignment == Assignment(epoch=8, time=LATER)


def test_and_by_then_the_one_that_has_the_id_may_not_be_captured_elsewhere() -> None:
    """An older one may be seen later: both were made in one second, or a clock stood wrong."""
    had = young(worker="default-1", epoch=7, exclusive=True)
    made = planned(old(worker=None, exclusive=True), had)
    given = {write.camera.name: write.assignment for write in made.writes}
    assert given == {
        "old": Assignment(worker="default-0", previous="default-1", epoch=VERSION, time=LATER),
        "young": Assignment(previous="default-1", epoch=8, time=LATER),
    }


def test_its_room_is_given_to_others_only_when_it_has_left() -> None:
    leaves = young(worker="default-1", epoch=7, weight=600)
    full, comes = old(weight=900), camera("comes", weight=600)
    first = planned(full, leaves, comes)
    causes = {write.camera.name: write.cause for write in first.writes}
    assert causes == {"young": Cause.DUPLICATE_ID, "comes": None}
    second = only(planned(*after([full, leaves, comes], first.writes)))
    assert second.assignment == Assignment(worker="default-1", epoch=VERSION, time=LATER)


def test_and_with_both_of_its_workers_if_it_is_being_handed_over() -> None:
    leaves = young(worker="default-1", previous="default-0", epoch=7, weight=600)
    full, comes = old(worker="default-2", weight=900), camera("comes", weight=600)
    three = fleet("default-0", "default-1", "default-2")
    causes = {w.camera.name: w.cause for w in planned(full, leaves, comes, workers=three).writes}
    assert causes == {"young": Cause.DUPLICATE_ID, "comes": None}


def test_it_gets_a_worker_once_the_other_one_is_gone() -> None:
    waits = written(only(planned(old(), young())))
    ending = old(deleting=True)
    assert planned(ending, waits).writes == (), "its worker has it until it is gone"
    write = only(planned(waits))
    assert (write.assigned.status, write.cause) == ("True", Cause.NEW)


@pytest.mark.parametrize("had", [0, 7])
def test_and_begins_above_every_epoch_that_the_other_one_had(had: int) -> None:
    """Events count on it: the id is the same, and the worker may be."""
    waits = replace(written(only(planned(old(), young()))), epoch=had)
    assert written(only(planned(waits, version=6000))).epoch == 6000


def test_a_worker_that_is_lost_changes_nothing_about_whose_id_it_is() -> None:
    made = planned(old(), young(), workers=fleet(default_0=Life.LOST, default_1=Life.LOST))
    reasons = {write.camera.name: write.assigned.reason for write in made.writes}
    assert reasons == {"old": Reason.WORKER_LOST, "young": Reason.DUPLICATE_ID}


def test_pools_make_no_difference() -> None:
    """An id is unique in the namespace: also where a pool is missing, or cannot be read."""
    elsewhere = young(pool="other", worker="default-1", epoch=7)
    made = plan([old(), elsewhere], TWO, {"default": rules()}, NOW, VERSION, unreadable={"other"})
    assert only(made).assigned.reason == Reason.DUPLICATE_ID
    orphaned = old(worker=None, pool="missing")
    reasons = {w.camera.name: w.assigned.reason for w in planned(orphaned, young()).writes}
    assert reasons == {"old": Reason.POOL_NOT_FOUND, "young": Reason.DUPLICATE_ID}


def test_it_has_no_claim_to_room() -> None:
    waits = written(only(planned(old(), young())))
    assert waits.refused
    assert not young().refused
    assert not replace(waits, worker="default-1").refused
    assert planned(old(), waits).exhausted["default"].cameras == 0
