"""The pace of a camera is told by its usual gaps, and not by its silences."""

import pytest

from ingest_worker.pace import Pace


def paced(*gaps: float) -> Pace:
    pace, now = Pace(0.0), 100.0
    pace.arrived(now)
    for gap in gaps:
        now += gap
        pace.arrived(now)
    return pace


def test_too_few_frames_are_no_pace() -> None:
    assert Pace(0.0).interval == 0
    assert paced().interval == 0
    assert paced(86400, 86400).interval == 0


def test_one_silence_is_no_interval() -> None:
    assert paced(0.2, 0.2, 30, 0.2, 0.2).interval == pytest.approx(0.2)


def test_a_slow_camera_has_a_long_interval() -> None:
    assert paced(20, 20, 20).interval == 20
    assert paced(20, 20, 20).fps(160) == pytest.approx(0.05)


def test_the_rate_is_that_of_the_last_seconds_and_ends_with_the_frames() -> None:
    pace = paced(*[0.1] * 31)
    assert pace.fps(103.1) == pytest.approx(10)
    assert pace.fps(110) == 0


def test_a_burst_is_no_rate_of_hundreds() -> None:
    assert paced(*[0.001] * 31).fps(100.04) <= 32
