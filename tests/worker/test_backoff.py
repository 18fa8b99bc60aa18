"""The delays after a failure: a curve for each class, drawn whole, reset by health."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest_core.errors import Failure
from ingest_worker.backoff import CURVES, HEALTHY_SECONDS, Backoff

ALMOST = 1 - 2**-53  # the greatest draw


def after(*failures: Failure, uptime: float = 0.0) -> Backoff:
    backoff = Backoff()
    for failure in failures:
        backoff = backoff.failed(failure, uptime)
    return backoff


def ceilings(failure: Failure, count: int = 8) -> list[int]:
    return [round(after(*[failure] * times).delay(ALMOST)) for times in range(1, count + 1)]


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (Failure.UNREACHABLE, [1, 2, 4, 8, 16, 30, 30, 30]),
        (Failure.STALLED, [1, 2, 4, 8, 16, 30, 30, 30]),
        (Failure.CRASHED, [1, 2, 4, 8, 16, 30, 30, 30]),
        (Failure.DECODE_FAILED, [5, 10, 20, 40, 60, 60, 60, 60]),
        (Failure.NOT_FOUND, [5, 10, 20, 40, 60, 60, 60, 60]),
        (Failure.UNSUPPORTED_STREAM, [5, 10, 20, 40, 60, 60, 60, 60]),
        (Failure.CAMERA_BUSY, [10, 20, 40, 60, 60, 60, 60, 60]),
        (Failure.AUTHENTICATION_FAILED, [30, 60, 120, 240, 480, 600, 600, 600]),
        (Failure.CREDENTIALS_MISSING, [30, 60, 120, 240, 480, 600, 600, 600]),
    ],
)
def test_each_class_has_its_own_ceiling(failure: Failure, expected: list[int]) -> None:
    assert ceilings(failure) == expected


def test_every_failure_has_a_curve() -> None:
    assert set(CURVES) == set(Failure)


@pytest.mark.parametrize("failure", list(Failure))
def test_jitter_is_full_down_to_the_floor(failure: Failure) -> None:
    floors = {
        Failure.CAMERA_BUSY: 5.0,
        Failure.AUTHENTICATION_FAILED: 30.0,
        Failure.CREDENTIALS_MISSING: 30.0,
    }
    assert after(*[failure] * 9).delay(0.0) == floors.get(failure, 0.0)


def test_half_a_draw_is_half_the_ceiling() -> None:
    assert after(*[Failure.UNREACHABLE] * 4).delay(0.5) == 4.0


def test_classes_are_counted_apart_and_failures_together() -> None:
    backoff = after(Failure.UNREACHABLE, Failure.UNREACHABLE, Failure.NOT_FOUND)
    assert backoff.delay(ALMOST) == pytest.approx(5)
    assert backoff.failures == 3


def test_only_thirty_healthy_seconds_make_it_forget() -> None:
    worn = after(*[Failure.UNREACHABLE] * 6)
    assert worn.failed(Failure.UNREACHABLE, HEALTHY_SECONDS - 0.001).delay(ALMOST) > 29
    healed = worn.failed(Failure.UNREACHABLE, HEALTHY_SECONDS)
    assert healed.delay(ALMOST) == pytest.approx(1)
    assert healed.failures == 1


def test_before_any_failure_there_is_no_delay() -> None:
    assert Backoff().delay(ALMOST) == 0.0


def test_a_thousand_failures_are_as_good_as_ten() -> None:
    assert after(*[Failure.STALLED] * 1200).delay(ALMOST) == pytest.approx(30)


@given(
    st.lists(st.tuples(st.sampled_from(Failure), st.floats(0, 100)), min_size=1, max_size=60),
    st.floats(0, ALMOST),
)
def test_whatever_fails_a_delay_stays_within_its_curve(
    failures: list[tuple[Failure, float]], draw: float
) -> None:
    backoff = Backoff()
    for failure, uptime in failures:
        backoff = backoff.failed(failure, uptime)
        curve = CURVES[failure]
        assert curve.floor <= backoff.delay(draw) <= curve.last
        assert backoff.delay(draw) <= backoff.failed(failure, 0.0).delay(draw)
