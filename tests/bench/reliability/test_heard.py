"""What consumers heard: frames that nobody told of, events that got lost, and double readers."""

import pytest

from bench.reliability.heard import Heard, missing, outcome, read_by_two, since
from bench.reliability.truth import Outcome, Window

A, B = "camera-ingest/default-0/1", "camera-ingest/default-1/1"
WINDOW = Window(100.0, 110.0)


def frames(
    source: str, epoch: int, began: float, count: int, *, first: int = 1, late: float = 0.0
) -> list[Heard]:
    """One each 0.2 s; every second one is told as captured a little late."""
    return [
        Heard(source, epoch, first + at, began + at / 5 + late * (at % 2)) for at in range(count)
    ]


def test_frames_that_follow_each_other_are_all_there_though_times_are_an_estimate() -> None:
    found = outcome(frames(A, 1, 99.9, 60, late=0.05), WINDOW, 5)
    assert found.gap == pytest.approx(0.25)
    assert found.lost == 0


def test_a_frame_that_nobody_told_of_is_missed() -> None:
    events = frames(A, 1, 99.9, 60, late=0.02)
    del events[20]
    assert outcome(events, WINDOW, 5).lost == 1
    del events[20]
    assert outcome(events, WINDOW, 5).lost == 2


def test_two_workers_that_overlap_leave_no_gap_in_whichever_order_it_was_heard() -> None:
    events = [*frames(B, 2, 104.1, 40), *frames(A, 1, 99.9, 26)]
    assert outcome(events, WINDOW, 5).lost == 0


def test_a_camera_that_is_silent_to_the_end_has_lost_the_rest() -> None:
    found = outcome(frames(A, 1, 99.8, 26), WINDOW, 5)
    assert found.gap == pytest.approx(4.2)
    assert (found.gap_frames, found.lost) == (20, 20)
    assert outcome([], WINDOW, 5) == Outcome(9.0, 44, 44)


def test_an_event_of_another_type_is_no_frame() -> None:
    motion = Heard(A, 1, 99, None)
    assert outcome([motion, *frames(A, 1, 99.8, 26)], WINDOW, 5).lost == 20


def test_numbers_that_never_came_between_others_are_missing_doubles_or_not() -> None:
    events = [Heard(A, 1, number, 0.0) for number in (3, 4, 7, 7, 4)]
    assert missing(events) == 2
    assert missing([*events, Heard(A, 2, 90, 0.0), Heard(B, 1, 50, 0.0)]) == 2
    assert missing([]) == 0


def test_events_since_the_last_that_was_heard_are_counted_whether_they_came_or_not() -> None:
    before = [Heard(A, 1, number, 0.0) for number in (1, 2, 3)]
    after = [Heard(A, 1, number, 0.0) for number in (3, 4, 8, 9, 9)]
    assert since(before, after) == (6, 3)


def test_of_a_worker_that_is_new_the_events_count_from_its_first() -> None:
    assert since([Heard(A, 1, 9, 0.0)], [Heard(B, 2, 5, 0.0), Heard(B, 2, 6, None)]) == (2, 2)


def test_nothing_is_counted_twice_where_only_old_events_came_again() -> None:
    assert since([Heard(A, 1, 9, 0.0)], [Heard(A, 1, 8, 0.0), Heard(A, 1, 9, 0.0)]) == (0, 0)


def test_two_assignments_with_frames_of_one_time_are_two_readers() -> None:
    cut_off = frames(A, 1, 100.0, 26)  # to 105.0
    ((one, other, seconds),) = read_by_two([*cut_off, *frames(B, 2, 104.0, 20)])
    assert (one, other) == (A, B)
    assert seconds == pytest.approx(1.0)


def test_who_follows_another_is_no_second_reader_and_neither_is_who_comes_back() -> None:
    events = [*frames(A, 1, 100.0, 20), *frames(B, 2, 103.9, 10), *frames(A, 3, 106.0, 10)]
    assert not list(read_by_two(events))
