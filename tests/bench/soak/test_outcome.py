"""What a soak finds wrong."""

import msgspec
import pytest

from bench.reliability.truth import Window
from bench.soak.outcome import Count, leaks, losses, shortfalls
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
    assert list(losses(every, ["well", "cut"], window, 5)) == [
        "cut was well, and nobody read 4 frames"
    ]


def test_a_camera_whose_sessions_are_not_all_remembered_is_told() -> None:
    every = {"a": [msgspec.structs.replace(session(6, None), number=2)]}
    (told,) = leaks(every, {"a": "Shared"}, 20)
    assert told == "a had more sessions than the simulator remembers"


def count(sent: int, taken: int, spoilt: int = 2, dropped_events: int = 0) -> Count:
    return Count(
        sent={"a": sent}, taken={"a": taken}, spoilt={"a": spoilt}, dropped_events=dropped_events
    )


@pytest.mark.parametrize(
    ("after", "told"),
    [
        (count(1000, 995), []),
        (count(1000, 994), ["a was well, and of its 900 frames 894 were taken"]),
        (
            count(1000, 1000, spoilt=3),
            ["a was well, and 1 of its frames were dropped or not decoded"],
        ),
        (count(1000, 1000, dropped_events=7), ["7 events were dropped"]),
    ],
)
def test_every_frame_of_a_well_camera_is_taken_and_every_event_told(
    after: Count, told: list[str]
) -> None:
    since = after.since(count(100, 100))
    assert list(shortfalls(since, ["a"], 5)) == told
