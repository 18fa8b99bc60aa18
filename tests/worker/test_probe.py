"""What the frames of some seconds tell of a camera."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest_core.errors import Failure
from ingest_worker.probe import ADVICE, Findings, findings
from ingest_worker.ring import Codec, Frame


def seen(
    count: int,
    *,
    every: float = 0.1,
    keyframe_every: int = 20,
    size: int = 1000,
    decode_seconds: float = 0.001,
) -> Findings:
    frames = [
        Frame(
            index + 1, 50 + index * every, index % keyframe_every == 0, bytes(size), Codec("hevc")
        )
        for index in range(count)
    ]
    return findings(
        frames,
        transport="UDP",
        size=(640, 360),
        profile="Main",
        decode_seconds=decode_seconds,
        first=0.1234,
        errors=2,
    )


def test_five_seconds_tell_everything() -> None:
    assert seen(51) == Findings(
        transport="UDP",
        codec="hevc",
        profile="Main",
        width=640,
        height=360,
        fps=10.0,
        keyframe_seconds=2.0,
        bitrate=80_000,
        decode_ms=1.0,
        first_frame_seconds=0.12,
        frames=51,
        decode_errors=2,
        weight=16,  # 10 frames of 1.6 ms
    )


def test_one_frame_tells_no_rate() -> None:
    found = seen(1)
    assert (found.fps, found.bitrate, found.keyframe_seconds) == (0.0, 0, None)


def test_frames_of_one_moment_tell_no_rate() -> None:
    found = seen(3, every=0.0)
    assert (found.fps, found.bitrate) == (0.0, 0)


def test_a_single_keyframe_tells_no_interval() -> None:
    assert seen(19).keyframe_seconds is None


def test_the_last_frame_is_no_part_of_the_rate_as_its_time_is_not_over() -> None:
    assert seen(2, every=1.0).bitrate == 8000


def test_a_camera_that_costs_nothing_still_weighs_something() -> None:
    assert seen(2, every=10.0, decode_seconds=0.0).weight == 5


@given(st.integers(1, 200), st.floats(0, 2), st.integers(1, 50), st.floats(0, 0.1))
def test_a_weight_covers_the_cost_whatever_comes(
    count: int, every: float, keyframe_every: int, decode_seconds: float
) -> None:
    found = seen(count, every=every, keyframe_every=keyframe_every, decode_seconds=decode_seconds)
    assert all(map(math.isfinite, (found.fps, found.decode_ms, found.bitrate)))
    assert found.weight >= 1000 * found.fps * decode_seconds - 1e-2 * 1000 * decode_seconds
    assert found.keyframe_seconds is None or found.keyframe_seconds >= 0


@pytest.mark.parametrize("failure", list(Failure))
def test_every_failure_comes_with_advice(failure: Failure) -> None:
    assert ADVICE[failure].endswith((".", ")", "…).")), failure
