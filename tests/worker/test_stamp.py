"""The capture time: near the truth, growing, and never later than the arrival."""

import random
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest_worker.stamp import StreamClock

NOW = 1_763_801_000.0
TIE = 1e-3  # many frames at one arrival grow by a microsecond each

Coming = tuple[float | None, float]  # stream time, arrival


def stamps(coming: Iterable[Coming]) -> list[float]:
    clock = StreamClock()
    return [clock.stamp(stream_time, arrival) for stream_time, arrival in coming]


def test_even_frames_that_arrive_late_and_in_bursts_are_stamped_evenly() -> None:
    draw = random.Random(1)
    arrivals = [NOW + index / 10 + draw.choice([0.0, 0.0, 0.08, 0.3]) for index in range(200)]
    arrivals = [max(arrivals[: index + 1]) for index in range(200)]  # in order, as TCP has them
    seen = stamps((index / 10, arrival) for index, arrival in enumerate(arrivals))
    errors = [stamp - (NOW + index / 10) for index, stamp in enumerate(seen)]
    assert all(abs(error) < 0.01 for error in errors[10:])  # uncorrected: 0.3


def test_without_stream_time_it_is_the_arrival() -> None:
    assert stamps([(None, NOW), (None, NOW + 1)]) == [NOW, NOW + 1]


def test_frames_of_one_arrival_still_grow() -> None:
    first, second, third = stamps([(None, NOW)] * 3)
    assert first < second < third < NOW + TIE


@pytest.mark.parametrize("rate", [0.9999, 1.0001, 0.9995, 1.0005])
def test_a_clock_that_drifts_is_followed_for_hours(rate: float) -> None:
    hours = [index * 0.5 for index in range(2 * 3600 * 3)]
    seen = stamps((at * rate, NOW + at) for at in hours)
    assert all(0 <= NOW + at - stamp < 0.01 + TIE for at, stamp in zip(hours, seen, strict=True))


@pytest.mark.parametrize("leap", [3600.0, -3600.0, 1e9, -1.5])
def test_a_clock_that_leaps_is_taken_anew_at_once(leap: float) -> None:
    before, after = stamps([(10.0, NOW), (11.0 + leap, NOW + 1)])
    assert before == NOW
    assert after == pytest.approx(NOW + 1, abs=1e-5)


def test_a_clock_that_stops_is_not_believed() -> None:
    seen = stamps((5.0, NOW + index / 5) for index in range(100))
    assert all(abs(NOW + index / 5 - stamp) <= TIE for index, stamp in enumerate(seen))
    assert seen == sorted(set(seen))


def test_a_clock_that_runs_backwards_never_takes_the_capture_time_back() -> None:
    seen = stamps((100 - index / 5, NOW + index / 5) for index in range(100))
    assert seen == sorted(set(seen))


def test_an_arrival_clock_that_is_set_back_a_little_never_takes_the_capture_time_back() -> None:
    first, second = stamps([(None, NOW), (None, NOW - 0.9)])
    assert first < second < first + TIE


def test_an_arrival_clock_that_is_set_back_by_more_is_followed() -> None:
    assert stamps([(5.0, NOW), (5.2, NOW - 3600)]) == [NOW, NOW - 3600]


def test_a_new_session_begins_with_an_offset_of_its_own() -> None:
    clock = StreamClock()
    clock.stamp(10.0, NOW)
    clock.begin()
    assert clock.stamp(10.5, NOW + 1) == NOW + 1


def test_a_new_session_never_goes_behind_the_last_one() -> None:
    clock = StreamClock()
    last = clock.stamp(10.0, NOW)
    clock.begin()
    assert clock.stamp(0.0, NOW - 0.5) > last


stream_steps = st.one_of(
    st.none(), st.floats(-0.5, 2.0), st.floats(-1e6, 1e6), st.just(0.0), st.just(0.04)
)


@given(st.lists(st.tuples(stream_steps, st.floats(0, 2.0)), max_size=50))
def test_whatever_the_camera_says_it_grows_and_lies_within_a_second_before_the_arrival(
    steps: list[tuple[float | None, float]],
) -> None:
    clock, stream_time, arrival, last = StreamClock(), 0.0, NOW, 0.0
    for step, passed in steps:
        arrival += passed
        stream_time += step or 0.0
        stamp = clock.stamp(None if step is None else stream_time, arrival)
        assert stamp > last
        assert arrival - 1.0 - TIE <= stamp <= arrival + TIE
        last = stamp
