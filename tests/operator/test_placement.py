"""Who captures what: sticky, within budgets, the least loaded first, and the same every time."""

from collections import Counter
from collections.abc import Iterable, Mapping
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest_operator.placement import Budget, Placement, Rebalance, place, rebalance
from ingest_operator.state import CameraState, Life, WorkerState
from tests.fakes.states import camera, fleet, worker

BUDGET = Budget(weight=1000, cameras=100)


def cameras(**weights: tuple[int, str | None]) -> list[CameraState]:
    """Cameras by name: weight, and who has it."""
    return [camera(name, weight=weight, worker=at) for name, (weight, at) in weights.items()]


def test_a_camera_that_still_fits_never_moves() -> None:
    there = cameras(a=(500, "default-0"), b=(400, "default-0"), c=(100, "default-0"))
    assert place(there, fleet("default-0", "default-1"), BUDGET) == nothing()


def test_a_new_camera_goes_to_the_least_loaded_worker_and_of_equal_ones_to_the_lowest() -> None:
    there = cameras(a=(300, "default-0"), b=(200, "default-1"), c=(200, "default-2"))
    workers = fleet("default-2", "default-1", "default-0")
    assert place([*there, camera("new")], workers, BUDGET).moves == {"new": "default-1"}


def test_ordinals_are_numbers() -> None:
    workers = fleet("default-10", "default-9")
    assert place([camera("new")], workers, BUDGET).moves == {"new": "default-9"}


def test_a_mass_failover_fits_the_heaviest_first() -> None:
    """In any other order the big one finds no room."""
    lost = cameras(s=(300, "default-2"), t=(300, "default-2"), big=(1000, "default-2"))
    found = place(lost, fleet("default-0", "default-1", default_2=Life.LOST), BUDGET)
    assert found.moves == {"big": "default-0", "s": "default-1", "t": "default-1"}


def test_one_worker_lost_moves_only_its_own_cameras() -> None:
    there = cameras(a=(900, "default-0"), b=(100, "default-1"), c=(500, "default-2"))
    found = place(there, fleet("default-0", "default-1", default_2=Life.LOST), BUDGET)
    assert found.moves == {"c": "default-1"}


def test_what_nobody_captures_is_placed_before_what_a_leaving_worker_still_does() -> None:
    there = cameras(captured=(900, "default-1"), dark=(200, None))
    found = place(there, fleet("default-0", default_1=Life.LEAVING), BUDGET)
    assert found == nothing(moves={"dark": "default-0"}, waiting={"captured"})


@pytest.mark.parametrize("life", [Life.LEAVING, Life.LOST, Life.GONE])
def test_only_an_open_worker_takes_cameras(life: Life) -> None:
    found = place([camera("new")], {"default-0": worker("default-0", life)}, BUDGET)
    assert found == nothing(unplaced={"new"})


@pytest.mark.parametrize(
    ("life", "stays"),
    [(Life.LEAVING, True), (Life.LOST, True), (Life.GONE, False), (None, False)],
)
def test_without_room_elsewhere_it_stays_with_who_captures_it_or_will_again(
    life: Life | None, *, stays: bool
) -> None:
    workers = fleet() if life is None else fleet(default_0=life)
    found = place(cameras(a=(100, "default-0")), workers, BUDGET)
    assert found == (nothing(waiting={"a"}) if stays else nothing(unplaced={"a"}))


def test_nothing_is_placed_beyond_a_budget_of_weight() -> None:
    there = cameras(a=(600, "default-0"), b=(700, "default-1"), new=(401, None))
    assert place(there, fleet("default-0", "default-1"), BUDGET) == nothing(unplaced={"new"})


def test_nothing_is_placed_beyond_a_budget_of_cameras() -> None:
    there = cameras(a=(1, "default-0"), b=(900, "default-1"), new=(1, None), other=(1, None))
    found = place(there, fleet("default-0", "default-1"), Budget(1000, 1))
    assert found == nothing(unplaced={"new", "other"})


def test_a_worker_without_room_for_cameras_does_not_hide_one_that_has_it() -> None:
    there = cameras(a=(1, "default-0"), b=(400, "default-1"), c=(400, "default-1"), new=(10, None))
    there += cameras(d=(1, "default-0"), e=(1, "default-0"))
    found = place(there, fleet("default-0", "default-1"), Budget(1000, 3))
    assert found.moves == {"new": "default-1"}


def test_a_camera_heavier_than_any_budget_leaves_the_others_their_room() -> None:
    there = cameras(huge=(2000, None), small=(10, None))
    found = place(there, fleet("default-0"), BUDGET)
    assert found == nothing(moves={"small": "default-0"}, unplaced={"huge"})


def test_a_budget_that_was_lowered_moves_the_heaviest_and_so_the_fewest() -> None:
    there = cameras(a=(500, "default-0"), b=(300, "default-0"), c=(200, "default-0"))
    found = place(there, fleet("default-0", "default-1"), Budget(600, 100))
    assert found == nothing(moves={"a": "default-1"})


def test_a_lowered_number_of_cameras_moves_just_so_many() -> None:
    there = cameras(a=(3, "default-0"), b=(2, "default-0"), c=(1, "default-0"))
    found = place(there, fleet("default-0", "default-1"), Budget(1000, 2))
    assert found == nothing(moves={"a": "default-1"})


def test_a_weight_that_was_raised_moves_its_camera() -> None:
    there = cameras(raised=(900, "default-0"), other=(200, "default-0"))
    assert place(there, fleet("default-0", "default-1"), BUDGET).moves == {"raised": "default-1"}


def test_where_the_heaviest_finds_no_room_a_lighter_one_goes() -> None:
    there = cameras(a=(900, "default-0"), b=(200, "default-0"), c=(700, "default-1"))
    found = place(there, fleet("default-0", "default-1"), BUDGET)
    assert found == nothing(moves={"b": "default-1"})


def test_a_worker_that_is_over_its_budget_gets_nothing_more() -> None:
    """What is too much there may have to stay: its room is not free."""
    there = cameras(a=(600, "default-0"), b=(600, "default-0"), new=(300, None))
    found = place(there, fleet("default-0"), BUDGET)
    assert found == nothing(unplaced={"new"}, waiting={"a"})


def test_room_that_a_move_will_free_is_not_given_away_before_it_is_free() -> None:
    """The moves of a plan may be written in any order, and one of them may fail."""
    there = cameras(a=(600, "default-0"), b=(500, "default-0"), c=(400, "default-1"))
    there += cameras(d=(450, "default-2"))
    workers = fleet("default-0", "default-1", default_2=Life.LEAVING)
    found = place(there, workers, BUDGET)
    assert found == nothing(moves={"a": "default-1"}, waiting={"d"})
    after = applied(there, found)
    assert place(after, workers, BUDGET) == nothing(moves={"d": "default-0"})


def test_a_camera_that_went_to_another_pool_takes_its_room_until_it_has_left() -> None:
    foreign = [camera("a", weight=800, worker="default-0", pool="other")]
    found = place([camera("new", weight=300)], fleet("default-0"), BUDGET, foreign)
    assert found == nothing(unplaced={"new"})


def test_and_is_no_reason_to_move_those_that_stay() -> None:
    foreign = [camera("a", weight=800, worker="default-0", pool="other")]
    there = cameras(b=(300, "default-0"))
    assert place(there, fleet("default-0", "default-1"), BUDGET, foreign) == nothing()


@pytest.mark.parametrize("leaves", ["yielded", "ending"])
def test_nor_is_its_room_given_away_to_even_loads_out(leaves: str) -> None:
    there = cameras(a=(300, "default-1"), b=(300, "default-1"))
    known: dict[str, dict[str, Any]] = {
        "yielded": {"worker": "other-0", "previous": "default-0", "pool": "other"},
        "ending": {"worker": "default-0", "deleting": True},
    }
    foreign = [camera("foreign", weight=800, **known[leaves])]
    two, rule = fleet("default-0", "default-1"), Rebalance(20, 9)
    assert rebalance(there, two, BUDGET, rule, foreign) == {}
    assert rebalance(there, two, BUDGET, rule) == {"b": "default-0"}


# In mid-handover


def handed(weight: int, worker: str, previous: str, **known: Any) -> CameraState:
    return camera("handed", weight=weight, worker=worker, previous=previous, **known)


def test_who_still_captures_a_shared_camera_has_no_room_for_another_in_its_place() -> None:
    there = [handed(800, "default-1", "default-0"), camera("new", weight=300)]
    found = place(there, fleet("default-0", "default-1"), BUDGET)
    assert found == nothing(unplaced={"new"})


@pytest.mark.parametrize("known", [{"released": 1}, {"connected": 1}, {"exclusive": True}], ids=str)
def test_it_has_once_it_captures_it_no_more(known: dict[str, Any]) -> None:
    there = [handed(800, "default-1", "default-0", **known), camera("new", weight=300)]
    found = place(there, fleet("default-0", "default-1"), BUDGET)
    assert found == nothing(moves={"new": "default-0"})


@pytest.mark.parametrize("life", [Life.LOST, Life.LEAVING, Life.GONE])
def test_a_shared_camera_goes_back_to_who_captures_it_before_it_goes_to_a_third(
    life: Life,
) -> None:
    """Nothing has to be opened, and its room is there: it is not counted twice."""
    there = [handed(600, "default-1", "default-0"), camera("a", weight=400, worker="default-0")]
    workers = fleet("default-0", "default-2", default_1=life)
    assert place(there, workers, BUDGET) == nothing(moves={"handed": "default-0"})


def test_but_not_to_one_that_is_too_full_for_it() -> None:
    there = [handed(600, "default-1", "default-0"), camera("a", weight=500, worker="default-0")]
    workers = fleet("default-0", "default-2", default_1=Life.LOST)
    assert place(there, workers, BUDGET) == nothing(moves={"handed": "default-2"})


# Rebalancing


def evened(
    there: Iterable[CameraState], workers: Mapping[str, WorkerState], *, skew: int = 20, moves: int
) -> Mapping[str, str]:
    return rebalance(there, workers, BUDGET, Rebalance(skew, moves))


def test_loads_are_evened_out_only_beyond_the_skew() -> None:
    two = fleet("default-0", "default-1")
    at_the_skew = cameras(a=(100, "default-0"), b=(100, "default-0"))
    assert evened(at_the_skew, two, moves=9) == {}
    beyond = [*at_the_skew, camera("c", weight=1, worker="default-0")]
    assert evened(beyond, two, moves=9) == {"b": "default-1"}


def test_as_many_as_are_allowed_are_moved_to_even_loads_out() -> None:
    there = cameras(**{f"c{n}": (100, "default-0") for n in range(9)})
    two = fleet("default-0", "default-1")
    assert len(evened(there, two, moves=0)) == 0
    assert len(evened(there, two, moves=2)) == 2
    assert len(evened(there, two, moves=99)) == 4


def test_no_move_that_would_have_to_be_undone_evens_loads_out() -> None:
    there = cameras(a=(300, "default-0"), b=(300, "default-1"), c=(301, "default-0"))
    assert evened(there, fleet("default-0", "default-1"), moves=9) == {}


def test_a_camera_that_is_being_handed_over_is_not_moved_to_even_loads_out() -> None:
    there = [camera("a", weight=400, worker="default-0", previous="default-1")]
    assert evened(there, fleet("default-0", "default-1"), moves=9) == {}


def test_of_two_cameras_the_shared_one_is_moved_as_that_loses_nothing() -> None:
    there = [
        camera("x", weight=300, worker="default-0"),
        camera("y", weight=300, worker="default-0", exclusive=True),
    ]
    assert evened(there, fleet("default-0", "default-1"), moves=1) == {"x": "default-1"}


def test_evening_out_keeps_to_the_number_of_cameras_too() -> None:
    there = cameras(a=(300, "default-0"), b=(300, "default-0"), c=(300, "default-0"))
    there += cameras(light=(1, "default-1"))
    two, rule = fleet("default-0", "default-1"), Rebalance(20, 9)
    assert rebalance(there, two, Budget(1000, 3), rule) == {"c": "default-1"}
    assert rebalance(there, two, Budget(1000, 1), rule) == {}


def test_nor_is_room_that_evening_out_will_free_given_away_before_it_is_free() -> None:
    there = cameras(a=(500, "default-0"), b=(500, "default-0"), c=(700, "default-2"))
    there += cameras(d=(200, "default-2"))
    three = fleet("default-0", "default-1", "default-2")
    assert evened(there, three, moves=9) == {"b": "default-1"}


def test_nor_is_room_that_a_handover_has_not_freed_yet() -> None:
    there = [handed(600, "default-1", "default-0")]
    there += cameras(d=(450, "default-2"), e=(450, "default-2"))
    three = fleet("default-0", "default-1", "default-2")
    assert evened(there, three, moves=9) == {}
    settled = [handed(600, "default-1", "default-0", connected=1), *there[1:]]
    assert evened(settled, three, moves=9) == {"e": "default-0"}


def test_only_open_workers_take_part_in_evening_out() -> None:
    there = cameras(a=(300, "default-0"), b=(300, "default-0"))
    assert evened(there, fleet("default-0", default_1=Life.LEAVING), moves=9) == {}


# Properties

NAMES = [f"default-{number}" for number in range(4)]
LIVES = st.sampled_from([Life.OPEN, Life.OPEN, Life.OPEN, *Life])
BUDGETS = st.builds(Budget, st.integers(50, 300), st.integers(1, 6))


@st.composite
def fleets(draw: st.DrawFn) -> dict[str, WorkerState]:
    names = draw(st.lists(st.sampled_from([*NAMES, "stray", "odd"]), unique=True, max_size=5))
    return {name: worker(name, draw(LIVES), "default") for name in names}


@st.composite
def crowds(draw: st.DrawFn) -> list[CameraState]:
    """Cameras of one pool, anywhere: assigned or not, to workers that are known or not."""
    number = draw(st.integers(0, 12))
    anywhere = st.none() | st.sampled_from([*NAMES, "stray", "odd"])
    made = []
    for one in range(number):
        worker, previous = draw(anywhere), draw(st.none() | anywhere)
        made.append(
            camera(
                f"c{one}",
                weight=draw(st.integers(1, 120)),
                worker=worker,
                previous=previous if worker != previous else None,
                connected=draw(st.integers(0, 1)),
                exclusive=draw(st.booleans()),
            )
        )
    return made


@given(crowds(), fleets(), BUDGETS, st.randoms(use_true_random=False))
def test_the_order_of_what_comes_in_does_not_matter(
    there: list[CameraState],
    workers: dict[str, WorkerState],
    budget: Budget,
    random: Random,
) -> None:
    shuffled, names = list(there), list(workers)
    random.shuffle(shuffled)
    random.shuffle(names)
    mixed = {name: workers[name] for name in names}
    assert place(there, workers, budget) == place(shuffled, mixed, budget)
    rule = Rebalance(10, 5)
    assert rebalance(there, workers, budget, rule) == rebalance(shuffled, mixed, budget, rule)


@given(crowds(), fleets(), BUDGETS)
def test_budgets_hold_whichever_of_the_moves_are_written(
    there: list[CameraState], workers: dict[str, WorkerState], budget: Budget
) -> None:
    """Counting what each worker has now and all that it is given, and nothing that it gives."""
    moves = place(there, workers, budget).moves
    within(there, moves, budget)
    if not moves:
        within(there, rebalance(there, workers, budget, Rebalance(1, 99)), budget)


@given(crowds(), fleets(), BUDGETS)
def test_no_camera_moves_that_fits_where_it_is(
    there: list[CameraState], workers: dict[str, WorkerState], budget: Budget
) -> None:
    """From an open worker go only so many as must."""
    moves = place(there, workers, budget).moves
    for name, one in workers.items():
        own = [each for each in there if each.worker == name]
        if one.life is Life.OPEN and not over(own, budget):
            assert not moves.keys() & {each.name for each in own}
        left = sorted((each for each in own if each.name in moves), key=lambda each: each.weight)
        if one.life is Life.OPEN and left:
            kept = [each for each in own if each.name not in moves or each is left[0]]
            assert over(kept, budget), "the last one to go did not have to"


@given(crowds(), fleets(), BUDGETS)
def test_applied_once_or_twice_there_is_nothing_more_to_do(
    there: list[CameraState], workers: dict[str, WorkerState], budget: Budget
) -> None:
    """Twice where a move freed room, or the end of one: it is given away only when it is free."""
    found = place(there, workers, budget)
    left = {name for one in there if one.name in found.moves for name in holders(one)}
    left |= {one.previous for one in there if one.yielded}
    relieved = any(one.name in left and one.life is Life.OPEN for one in workers.values())
    after = applied(there, found)
    if relieved:
        after = applied(after, place(after, workers, budget))
    again = place(after, workers, budget)
    assert not again.moves
    assert again.unplaced <= found.unplaced
    assert place(applied(after, again), workers, budget) == again


@given(crowds(), fleets(), BUDGETS)
def test_nothing_is_left_out_that_an_open_worker_has_room_for(
    there: list[CameraState], workers: dict[str, WorkerState], budget: Budget
) -> None:
    found = place(there, workers, budget)
    after = applied(there, found)
    after = applied(after, place(after, workers, budget))
    left = place(after, workers, budget)
    for one in after:
        if one.name in left.unplaced | left.waiting:
            for name, each in workers.items():
                if each.life is Life.OPEN and name != one.worker:
                    assert over([*(c for c in after if c.worker == name), one], budget)


@given(crowds(), fleets(), BUDGETS, st.integers(1, 30))
def test_evening_out_comes_to_an_end_and_never_undoes_a_move(
    there: list[CameraState], workers: dict[str, WorkerState], budget: Budget, skew: int
) -> None:
    seen: set[tuple[str, str]] = {(one.name, one.worker or "") for one in there}
    before = spread(there, workers)
    for _ in range(200):
        moves = rebalance(there, workers, budget, Rebalance(skew, 1))
        if not moves:
            return
        there = applied(there, nothing(moves=dict(moves)))
        now = spread(there, workers)
        assert now < before
        before = now
    raise AssertionError(f"it goes on for ever: {seen}")


def spread(there: Iterable[CameraState], workers: Mapping[str, WorkerState]) -> int:
    """Sum of the squares of the loads: less is more even."""
    loads: Counter[str] = Counter()
    for one in there:
        home = workers.get(one.worker or "")
        if home is not None and home.life is Life.OPEN:
            loads[home.name] += one.weight
    return sum(load * load for load in loads.values())


def over(there: list[CameraState], budget: Budget) -> bool:
    return sum(one.weight for one in there) > budget.weight or len(there) > budget.cameras


def holders(one: CameraState) -> set[str | None]:
    """Who may capture it."""
    return {one.worker, one.previous if one.yielded else None}


def within(there: list[CameraState], moves: Mapping[str, str], budget: Budget) -> None:
    for target in set(moves.values()):
        own = [one for one in there if target in holders(one) and moves.get(one.name) != target]
        given_ = [one for one in there if moves.get(one.name) == target]
        assert not over([*own, *given_], budget)


def applied(there: Iterable[CameraState], found: Placement) -> list[CameraState]:
    """The cameras after what was decided, and after each handover."""
    return [
        camera(one.name, weight=one.weight, exclusive=one.exclusive, worker=_at(one, found))
        for one in there
    ]


def _at(one: CameraState, found: Placement) -> str | None:
    return None if one.name in found.unplaced else found.moves.get(one.name, one.worker)


def nothing(
    moves: Mapping[str, str] | None = None,
    unplaced: Iterable[str] = (),
    waiting: Iterable[str] = (),
) -> Placement:
    return Placement(moves or {}, frozenset(unplaced), frozenset(waiting))
