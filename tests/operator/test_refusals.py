"""Each refusal rests by itself, ever longer, and is forgotten once it may be another matter."""

from math import inf

from hypothesis import given
from hypothesis import strategies as st

from ingest_operator.refusals import FIRST_SECONDS, LAST_SECONDS, Refusals


def pauses(refusals: Refusals[str], count: int) -> list[float]:
    """How long `a` rests after each of so many refusals."""
    now, found = 0.0, []
    for _ in range(count):
        refusals.refused("a", 1, now)
        until = refusals.next(now)
        found.append(until - now)
        assert refusals.rests("a", 1, until - 0.001)
        assert not refusals.rests("a", 1, until)
        now = until
    return found


def test_it_rests_twice_as_long_each_time_and_a_minute_at_most() -> None:
    assert pauses(Refusals(), 9) == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_nothing_rests_of_which_nothing_is_known() -> None:
    refusals: Refusals[str] = Refusals()
    assert not refusals.rests("a", 1, 0.0)
    assert refusals.next(0.0) == inf


def test_what_is_another_one_by_now_does_not_rest_and_begins_anew() -> None:
    refusals: Refusals[str] = Refusals()
    pauses(refusals, 5)
    refusals.refused("a", 1, 100.0)
    assert not refusals.rests("a", 2, 100.0)
    refusals.refused("a", 2, 100.0)
    assert refusals.next(100.0) == 100.0 + FIRST_SECONDS


def test_what_passes_is_forgotten_and_gives_each_of_the_others_a_try() -> None:
    refusals: Refusals[str] = Refusals()
    pauses(refusals, 5)
    refusals.refused("b", 1, 100.0)
    refusals.passed("b", 101.0)
    assert not refusals.rests("a", 1, 101.0)
    refusals.refused("a", 1, 101.0)
    assert refusals.next(101.0) == 101.0 + 32, "and no more than a try"
    refusals.passed("never refused", 102.0)
    assert refusals.rests("a", 1, 102.0)


@given(st.sets(st.text(max_size=3)), st.sets(st.text(max_size=3)))
def test_no_more_is_remembered_than_is_asked_for(refused: set[str], asked: set[str]) -> None:
    refusals: Refusals[str] = Refusals()
    for key in refused:
        refusals.refused(key, 1, 0.0)
    refusals.keep(asked)
    assert len(refusals) == len(refused & asked)
    assert all(refusals.rests(key, 1, 0.0) for key in refused & asked)
    assert all(not refusals.rests(key, 1, 0.0) for key in refused - asked)


@given(st.integers(1, 200))
def test_no_pause_is_longer_than_the_last(count: int) -> None:
    assert max(pauses(Refusals(), count)) <= LAST_SECONDS
