"""What a soak finds wrong."""

import pytest

from bench.reliability.truth import Window
from bench.soak.outcome import leaks, losses
from bench.soak.pods import is_grave
from ingest_simulator.session import SessionRecord


def session(began: float, ended: float | None, until: float = 20.0) -> SessionRecord:
    return SessionRecord(
        number=1,
        client=f"10.0.0.1:{began}",
        opened=began,
        transport="tcp",
        playing=began,
        closed=ended,
        end=None,
        frames=100,
        first_frame=began,
        last_frame=until if ended is None else ended,
    )


def test_one_living_session_is_what_a_camera_has() -> None:
    every = {"a": [session(0, 5), session(6, None)]}
    assert list(leaks(every, {"a": "Exclusive"}, 20)) == []


@pytest.mark.parametrize("living", [0, 2])
def test_more_or_fewer_are_told(living: int) -> None:
    every = {"a": [session(0, 5), *[session(6, None)] * living]}
    assert list(leaks(every, {"a": "Shared"}, 20)) == [f"a has {living} sessions"]


def test_two_at_once_are_told_where_there_may_be_one() -> None:
    every = {"a": [session(0, 5), session(4, None)]}
    assert list(leaks(every, {"a": "Shared"}, 20)) == []
    assert len(list(leaks(every, {"a": "Exclusive"}, 20))) == 1


def test_a_camera_that_was_well_must_not_lose_a_frame() -> None:
    every = {"well": [session(0, None)], "cut": [session(0, 5), session(6, None)]}
    window = Window(1, 19)
    assert list(losses(every, ["well"], window, 5)) == []
    assert list(losses(every, ["well", "cut"], window, 5)) == ["cut was well, and lost 4 frames"]


@pytest.mark.parametrize(
    ("line", "grave"),
    [
        ('{"level": "error", "event": "capture_crashed"}', True),
        ('{"level": "critical", "event": "x"}', True),
        ('{"level": "warning", "event": "an error of a camera"}', False),
        ('{"level": "warning", "event": "operator_begins_anew"}', True),
        ("Traceback (most recent call last):", True),
        ("1:M 30 Nov 2026 * Ready to accept connections", False),
        ("[]", False),
        ("", False),
    ],
)
def test_a_line_that_somebody_must_look_at_is_seen(line: str, grave: bool) -> None:  # noqa: FBT001 - a table
    assert is_grave(line) is grave
