"""Each rule of a history is broken by a history, and by nothing that keeps it."""

from dataclasses import replace

import pytest

from tests.cluster.history import CameraVersion, Move, PoolVersion, Rule, Version, check

POOL = PoolVersion(revision=1, at=0, name="default", weight_capacity=300, max_cameras=2, replicas=3)
CAMERA = CameraVersion(revision=2, at=1, name="lobby", uid="u1", pool="default", weight=100)
DOOR = replace(CAMERA, revision=3, name="door", uid="u2")
YARD = replace(CAMERA, revision=4, name="yard", uid="u3")


def given(camera: CameraVersion, worker: str | None, epoch: int, revision: int) -> CameraVersion:
    return replace(camera, worker=worker, epoch=epoch, revision=revision, at=float(revision))


HELD = given(CAMERA, "default-0", 1, 10)
FULL = (POOL, CAMERA, DOOR, HELD, given(DOOR, "default-0", 1, 11))


def broken(*history: Version, lag: float = 0.0) -> list[Rule]:
    return [violation.rule for violation in check(history, lag=lag)]


def anything(_: Move) -> bool:
    return True


def test_a_placement_and_a_justified_move_break_nothing() -> None:
    history = (POOL, CAMERA, HELD, given(CAMERA, "default-1", 2, 11))
    assert check(history, justified=anything) == []


@pytest.mark.parametrize(
    ("rule", "later"),
    [
        (Rule.EPOCH_FELL, (("default-0", 3), ("default-0", 2))),
        (Rule.EPOCH_FELL, (("default-0", 3), (None, 2))),
        (Rule.EPOCH_FELL, ((None, 0),)),
        (Rule.EPOCH_SHARED, (("default-1", 1),)),
        (Rule.EPOCH_SHARED, ((None, 1),)),
        (Rule.EPOCH_SHARED, ((None, 2), ("default-1", 2))),
    ],
)
def test_an_epoch_never_falls_and_has_one_worker(
    rule: Rule, later: tuple[tuple[str | None, int], ...]
) -> None:
    versions = [given(CAMERA, *assigned, 11 + n) for n, assigned in enumerate(later)]
    found = check((POOL, CAMERA, HELD, *versions), justified=anything)
    assert [violation.rule for violation in found] == [rule]


def test_a_camera_made_anew_under_its_name_begins_its_epochs_anew() -> None:
    gone = replace(given(CAMERA, "default-0", 7, 11), deleted=True)
    anew = replace(CAMERA, uid="u9", revision=12)
    assert broken(POOL, CAMERA, HELD, gone, anew, given(anew, "default-1", 1, 13)) == []


def test_a_worker_is_given_no_more_than_its_capacity() -> None:
    heavy = replace(DOOR, weight=201)
    assert Rule.OVERLOADED in broken(POOL, CAMERA, heavy, HELD, given(heavy, "default-0", 1, 11))
    fits = replace(DOOR, weight=200)
    assert broken(POOL, CAMERA, fits, HELD, given(fits, "default-0", 1, 11)) == []


def test_a_worker_is_given_no_more_cameras_than_its_maximum() -> None:
    assert Rule.CROWDED in broken(*FULL, YARD, given(YARD, "default-0", 1, 12))
    assert broken(*FULL, YARD, given(YARD, "default-1", 1, 12)) == []


def test_what_left_a_worker_makes_room_there() -> None:
    left = given(CAMERA, "default-1", 2, 12)
    assert check((*FULL, YARD, left, given(YARD, "default-0", 1, 13)), justified=anything) == []
    gone = replace(HELD, revision=12, deleted=True)
    assert broken(*FULL, YARD, gone, given(YARD, "default-0", 1, 13)) == []


def yielded(camera: CameraVersion, revision: int, to: str | None = "default-1") -> CameraVersion:
    """Handed over by default-0, which captures it until `to` does."""
    return replace(given(camera, to, 2, revision), yielding="default-0")


def all_broken(*history: Version, lag: float = 0.0) -> list[Rule]:
    return [one.rule for one in check(history, justified=anything, lag=lag)]


def test_what_a_worker_yields_counts_with_it_until_it_has_let_go() -> None:
    moved, taken = yielded(CAMERA, 12), given(YARD, "default-0", 1, 14)
    over = given(CAMERA, "default-1", 2, 13)
    assert all_broken(*FULL, YARD, moved, over, taken) == []
    assert all_broken(*FULL, YARD, moved, taken, replace(over, revision=15)) == [Rule.CROWDED]
    heavy = replace(YARD, weight=101)
    wide = replace(POOL, max_cameras=9)
    two = (wide, *FULL[1:], heavy, moved)
    assert all_broken(*two, over, replace(taken, weight=101)) == []
    late = replace(over, revision=15)
    assert all_broken(*two, replace(taken, weight=101), late) == [Rule.OVERLOADED]


def test_what_nobody_is_given_counts_with_who_captures_it_still() -> None:
    moved = yielded(CAMERA, 12, to=None)
    taken = given(YARD, "default-0", 1, 13)
    gone = replace(moved, revision=14, deleted=True)
    assert all_broken(*FULL, YARD, moved, taken, gone) == [Rule.CROWDED]


def test_what_is_yielded_in_the_end_counts_in_the_end() -> None:
    fewer = replace(POOL, revision=13, at=13, max_cameras=1)
    assert all_broken(*FULL, yielded(CAMERA, 12), fewer) == [Rule.CROWDED]
    alone = (POOL, CAMERA, HELD, yielded(CAMERA, 12), replace(fewer, max_cameras=0))
    assert all_broken(*alone) == [Rule.CROWDED, Rule.CROWDED]  # who has it, and who yields it


def test_a_camera_that_was_deleted_while_it_was_yielded_is_nobodys() -> None:
    moved = yielded(CAMERA, 12)
    gone = replace(moved, revision=13, deleted=True)
    assert all_broken(*FULL, YARD, moved, gone, given(YARD, "default-0", 1, 14)) == []


@pytest.mark.parametrize(("lag", "breaks"), [(0, True), (3, False), (1, True)])
def test_who_has_just_begun_to_yield_may_be_unknown_for_the_lag(
    lag: float, *, breaks: bool
) -> None:
    """A session that an edit made Shared in the middle of its handover."""
    moved = given(CAMERA, "default-1", 2, 12)
    edited = replace(moved, yielding="default-0", revision=13, at=13)
    taken = replace(given(YARD, "default-0", 1, 15), at=14.5)
    history = (*FULL, YARD, moved, edited, taken, replace(moved, revision=16, at=16))
    assert bool(all_broken(*history, lag=lag)) == breaks


def test_of_a_handover_of_its_own_who_assigns_knows_at_once() -> None:
    moved, taken = yielded(CAMERA, 12), given(YARD, "default-0", 1, 13)
    over = given(CAMERA, "default-1", 2, 14)
    assert all_broken(*FULL, YARD, moved, taken, over, lag=5) == [Rule.CROWDED]


def test_even_for_a_moment_a_worker_is_not_given_too_much() -> None:
    left = given(CAMERA, "default-1", 2, 13)
    history = (*FULL, YARD, given(YARD, "default-0", 1, 12), left)
    assert [violation.rule for violation in check(history, justified=anything)] == [Rule.CROWDED]


def test_a_worker_of_a_pool_that_is_gone_may_hold_nothing() -> None:
    gone = replace(POOL, revision=9, deleted=True)
    both = [Rule.OVERLOADED, Rule.CROWDED]
    assert broken(POOL, CAMERA, gone, HELD) == [*both, *both]  # when it was given, and in the end


def test_a_worker_of_a_pool_that_was_never_there_may_hold_nothing() -> None:
    assert Rule.CROWDED in broken(CAMERA, HELD)


def test_an_edit_may_overload_a_worker_until_the_end() -> None:
    grown = replace(HELD, weight=301, revision=11, at=11.0)
    assert broken(POOL, CAMERA, HELD, grown) == [Rule.OVERLOADED]
    assert broken(POOL, CAMERA, HELD, grown, replace(HELD, revision=12)) == []


EDITS = {
    "weight": replace(HELD, revision=12, at=12, weight=201),
    "capacity": replace(POOL, revision=12, at=12, weight_capacity=199),
    "maximum": replace(POOL, revision=12, at=12, max_cameras=1),
    "pool gone": replace(POOL, revision=12, at=12, deleted=True),
}


def undone(edit: Version, at: float) -> Version:
    return replace(HELD if isinstance(edit, CameraVersion) else POOL, revision=14, at=at)


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS.keys())
@pytest.mark.parametrize(
    ("seconds", "lag", "breaks"), [(0, 0, True), (1, 1.5, False), (2, 1, True)]
)
def test_an_assignment_after_an_edit_may_rest_on_what_was_before_it_for_the_lag(
    edit: Version, seconds: float, lag: float, *, breaks: bool
) -> None:
    assigned = replace(given(DOOR, "default-0", 1, 13), at=12.0 + seconds)
    gone = replace(assigned, revision=14, deleted=True)
    history = (POOL, CAMERA, DOOR, HELD, edit, assigned, gone, undone(edit, at=20))
    assert bool(broken(*history, lag=lag)) == breaks


MOVES = {
    "to another worker": given(CAMERA, "default-1", 2, 20),
    "to nobody": given(CAMERA, None, 2, 20),
}


@pytest.mark.parametrize("moved", MOVES.values(), ids=MOVES.keys())
def test_a_camera_does_not_move_without_need(moved: CameraVersion) -> None:
    assert broken(POOL, CAMERA, HELD, moved) == [Rule.MOVED]


@pytest.mark.parametrize("moved", MOVES.values(), ids=MOVES.keys())
@pytest.mark.parametrize(
    "edit",
    [
        replace(POOL, revision=12, at=12, weight_capacity=99),
        replace(POOL, revision=12, at=12, max_cameras=0),
        replace(POOL, revision=12, at=12, replicas=0),
        replace(POOL, revision=12, at=12, deleted=True),
        replace(HELD, revision=12, at=12, weight=301),
        replace(HELD, revision=12, at=12, pool="other"),
    ],
    ids=("capacity", "maximum", "replicas", "pool gone", "weight", "other pool"),
)
def test_a_camera_moves_when_its_worker_may_not_keep_it(
    edit: Version, moved: CameraVersion
) -> None:
    if isinstance(edit, CameraVersion):
        moved = replace(moved, weight=edit.weight, pool=edit.pool)
    assert Rule.MOVED not in broken(POOL, CAMERA, HELD, edit, moved)


def test_only_as_many_cameras_move_as_are_over_the_budget() -> None:
    lowered = replace(POOL, revision=12, at=12.0, max_cameras=1)
    first, second = given(CAMERA, "default-1", 2, 13), given(DOOR, "default-2", 2, 14)
    assert broken(*FULL, lowered, first) == []
    assert broken(*FULL, lowered, first, second) == [Rule.MOVED]


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS.keys())
def test_a_need_that_has_passed_justifies_a_move_only_within_the_lag(edit: Version) -> None:
    moved = given(DOOR, "default-1", 2, 15)
    history = (*FULL, edit, undone(edit, at=13), moved)
    assert broken(*history, lag=1) == [Rule.MOVED]
    assert broken(*history, lag=3) == []


def test_a_deleted_camera_has_not_moved() -> None:
    assert broken(POOL, CAMERA, HELD, replace(HELD, revision=11, deleted=True)) == []


def test_the_caller_is_asked_of_each_move_that_the_history_does_not_explain() -> None:
    asked: list[tuple[str, str | None]] = []

    def lost(move: Move) -> bool:
        asked.append((move.source, move.target))
        return move.source == "default-0"

    back = given(CAMERA, "default-0", 3, 21)
    found = check((POOL, CAMERA, HELD, MOVES["to another worker"], back), justified=lost)
    assert asked == [("default-0", "default-1"), ("default-1", "default-0")]
    assert [violation.rule for violation in found] == [Rule.MOVED]


def test_a_violation_reads_as_a_sentence_with_camera_versions_and_rule() -> None:
    (found,) = check((POOL, CAMERA, HELD, given(CAMERA, "default-1", 1, 12)), justified=anything)
    assert str(found) == (
        "camera lobby (uid u1) at revision 12: default-0 (revision 10) became default-1 "
        "under epoch 1, but an epoch belongs to one worker: a changed one means a grown epoch"
    )


def test_a_worker_that_is_no_pod_of_its_pool_has_the_pool_that_the_caller_names() -> None:
    held = given(CAMERA, "hollow-7", 1, 10)
    away = given(CAMERA, "default-0", 2, 11)
    assert check((POOL, CAMERA, held), pool_of=lambda _: "default") == []
    (found,) = check((POOL, CAMERA, held, away), pool_of=lambda _: "default")
    assert found.rule is Rule.MOVED
