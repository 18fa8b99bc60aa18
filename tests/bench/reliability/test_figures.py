"""From repetitions to published figures."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.line import Verdict
from bench.reliability.figures import Budget, Figures, Spread, faults, figures, spread, verdict
from bench.reliability.result import Account, CameraResult, Measured, Repetition, SessionKind
from bench.reliability.truth import Outcome


def camera(
    gap: float,
    lost: int,
    *,
    affected: bool = True,
    session: SessionKind = "Shared",
    told: int | None = None,
) -> CameraResult:
    heard = None if told is None else Outcome(gap, told, told)
    return CameraResult("cam1", session, affected, Outcome(gap, lost, lost), heard)


def repetition(*cameras: CameraResult, **more: object) -> Repetition:
    return Repetition(0.0, 1.0, 2.0, cameras, (), None, **more)  # type: ignore[arg-type]


def test_percentiles_are_values_that_were_measured() -> None:
    assert spread([float(value) for value in range(1, 101)]) == Spread(50.0, 99.0, 100.0)
    assert spread([7.0]) == Spread(7.0, 7.0, 7.0)
    assert spread([2.0, 1.0]) == Spread(1.0, 2.0, 2.0)
    with pytest.raises(ValueError, match="no values"):
        spread([])


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=300))
def test_at_least_so_many_values_are_at_most_a_percentile(values: list[float]) -> None:
    found = spread(values)
    assert found.p50 <= found.p99 <= found.worst == max(values)
    for part, at in ((0.5, found.p50), (0.99, found.p99)):
        assert at in values
        assert sum(value <= at for value in values) >= part * len(values)
        assert sum(value < at for value in values) < part * len(values)


def test_affected_cameras_of_one_kind_are_put_together_and_the_others_told_beside() -> None:
    repetitions = [
        repetition(camera(1.0, 4, told=5), camera(0.2, 0, affected=False)),
        repetition(
            camera(3.0, 14, told=14),
            camera(9.0, 44, session="Exclusive"),
            camera(0.6, 2, affected=False),
        ),
    ]
    assert figures(repetitions, "Shared") == Figures(
        samples=2,
        gap=Spread(1.0, 3.0, 3.0),
        gap_frames=Spread(4, 14, 14),
        lost=18,
        untold=19,
        others=2,
    )


def test_where_nobody_listened_nothing_is_said_of_it() -> None:
    found = figures([repetition(camera(1.0, 4))], "Shared")
    assert found is not None
    assert found.untold is None


def test_where_all_were_affected_nothing_is_said_of_others_and_no_bound_of_theirs_is_met() -> None:
    found = figures([repetition(camera(1.0, 4))], "Shared")
    assert found is not None
    assert found.others is None
    assert verdict(found, Budget(others=0)) is Verdict.MISSED
    assert verdict(found, Budget(lost=4)) is Verdict.MET


def test_of_a_kind_that_nothing_was_done_to_there_are_no_figures() -> None:
    assert figures([repetition(camera(1.0, 4, affected=False))], "Shared") is None
    assert figures([repetition(camera(1.0, 4))], "Exclusive") is None


FOUND = Figures(3, Spread(1, 5, 9), Spread(1, 2, 3), lost=3, untold=None, others=1)


@pytest.mark.parametrize(
    ("budget", "expected"),
    [
        (None, Verdict.TOLD),
        (Budget(p99=5), Verdict.MET),
        (Budget(p99=4.9), Verdict.MISSED),
        (Budget(lost=3), Verdict.MET),
        (Budget(lost=0), Verdict.MISSED),
        (Budget(others=1), Verdict.MET),
        (Budget(p99=5, others=0), Verdict.MISSED),
    ],
)
def test_every_bound_of_a_budget_must_hold(budget: Budget | None, expected: Verdict) -> None:
    assert verdict(FOUND, budget) is expected


def test_a_budget_says_what_it_asks() -> None:
    assert str(Budget(p99=5.0)) == "p99 ≤ 5 s"
    assert str(Budget(lost=0, others=0)) == "0 lost, 0 lost by others"


def measured(*repetitions: Repetition, broken_off: str = "") -> Measured:
    return Measured("node-killed", "2026-11-25", "a", "b", 20, repetitions, broken_off)


def test_what_must_not_be_is_said_in_sentences() -> None:
    read_by_two = repetition()
    read_by_two = Repetition(0, 1, 2, (), ("cam3 was read by two",), None)
    wrong = repetition(account=Account(produced=10, heard=6, dropped=3))
    right = repetition(account=Account(produced=10, heard=6, dropped=4))
    assert faults(measured(read_by_two, wrong, right, broken_off="n2 is not Ready")) == [
        "cam3 was read by two",
        "of 10 events 6 were heard and 3 counted as dropped",
        "broken off after 3 of 20 times: n2 is not Ready",
    ]
    assert not faults(measured(repetition(), right))
