"""Whether the memory of a pod is flat."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.soak.memory import Curve

MB = 1_000_000


def test_what_fills_at_first_and_stays_is_flat() -> None:
    curve = Curve("a", (10 * MB, 60 * MB, *[100 * MB] * 30))
    assert (curve.warm, curve.ended, curve.flat) == (100 * MB, 100 * MB, True)


@pytest.mark.parametrize(
    ("each", "flat"),
    [
        (0, True),
        (MB // 10, True),  # 1 MB in ten looks
        (MB, False),
        (-MB, True),
    ],
)
def test_what_grows_for_ever_is_not(each: int, flat: bool) -> None:  # noqa: FBT001 - a table
    curve = Curve("a", tuple(100 * MB + each * look for look in range(80)))
    assert curve.flat is flat


def test_a_single_peak_is_no_growth() -> None:
    held = [100 * MB] * 40
    held[-3] = 500 * MB
    assert Curve("a", tuple(held)).flat


def test_it_is_drawn_from_nothing_to_its_highest() -> None:
    assert Curve("a", (0, 50 * MB, 100 * MB, 100 * MB)).drawn() == "▁▅██"


@given(st.lists(st.integers(1, 10**9), min_size=4, max_size=300))
def test_any_curve_is_drawn_and_judged(held: list[int]) -> None:
    curve = Curve("a", tuple(held))
    assert len(curve.drawn()) == min(48, len(held))
    assert min(held) <= curve.ended <= max(held)
