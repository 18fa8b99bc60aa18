"""Whether the memory of a pod is flat."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.soak.memory import Curve, together

MB = 1_000_000


def curve_of(*held: int) -> Curve:
    return Curve("a", held, cores=0.5)


def test_what_fills_at_first_and_stays_is_flat() -> None:
    curve = curve_of(10 * MB, 60 * MB, *[100 * MB] * 30)
    assert (curve.warm, curve.ended, curve.is_flat()) == (100 * MB, 100 * MB, True)


@pytest.mark.parametrize(
    ("each", "flat"),
    [
        (0, True),
        (MB // 4, True),  # 5 of 112 MB in a quarter
        (MB // 2, False),
        (-MB, True),
    ],
)
def test_what_grows_for_ever_is_not(each: int, flat: bool) -> None:  # noqa: FBT001 - a table
    curve = curve_of(*(100 * MB + each * look for look in range(80)))
    assert curve.is_flat() is flat


def test_a_single_peak_is_no_growth() -> None:
    held = [100 * MB] * 40
    held[-3] = 500 * MB
    assert curve_of(*held).is_flat()


def test_it_is_drawn_from_its_lowest_to_its_highest() -> None:
    assert curve_of(200 * MB, 250 * MB, 300 * MB, 300 * MB).drawn() == "▁▅██"
    assert curve_of(*[MB] * 4).drawn() == "▁▁▁▁"


def test_all_together_are_the_sum_of_what_each_held() -> None:
    whole = together([curve_of(1, 2, 3), curve_of(10, 20, 30)])
    assert (whole.held, whole.cores) == ((11, 22, 33), 1.0)


@given(st.lists(st.integers(1, 10**9), min_size=4, max_size=300))
def test_any_curve_is_drawn_and_judged(held: list[int]) -> None:
    curve = curve_of(*held)
    assert len(curve.drawn()) == min(48, len(held))
    assert min(held) <= curve.ended <= max(held)
