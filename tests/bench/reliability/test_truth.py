"""Gaps and lost frames, from what the simulator has on record of a camera's sessions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.reliability.truth import Cut, Outcome, Window, excuses, flows, outcome, read_by
from ingest_simulator.session import SessionRecord

FPS = 5
WINDOW = Window(100.0, 200.0)


def session(
    first: float | None,
    last: float | None = None,
    *,
    closed: float | None = None,
    client: str = "10.91.1.7:4000",
    opened: float | None = None,
) -> SessionRecord:
    """One that brought frames from `first` to `last`; without `closed`, it still does."""
    began = opened if opened is not None else (first if first is not None else 0.0)
    return SessionRecord(
        number=1,
        client=client,
        opened=began,
        transport="tcp",
        playing=first,
        closed=closed,
        end=None,
        frames=0,
        first_frame=first,
        last_frame=last if last is not None else first,
    )


def ended(first: float, last: float, *, client: str = "10.91.1.7:4000") -> SessionRecord:
    return session(first, last, closed=last + 0.05, client=client)


def found(*sessions: SessionRecord, cuts: tuple[Cut, ...] = ()) -> Outcome:
    return outcome(sessions, cuts, WINDOW, FPS)


@pytest.mark.parametrize(
    ("began", "gap", "lost"),
    [
        (150.2, 0.2, 0),
        (150.25, 0.25, 1),
        (150.4, 0.4, 1),
        (150.41, 0.41, 2),
        (155.0, 5.0, 24),
        (149.0, 0.2, 0),
    ],
)
def test_what_the_earlier_clock_would_have_brought_until_the_next_session_is_lost(
    began: float, gap: float, lost: int
) -> None:
    outcome_ = found(ended(90.0, 150.0), session(began, 200.0))
    assert outcome_.gap == pytest.approx(gap)
    assert (outcome_.gap_frames, outcome_.lost) == (lost, lost)


def test_a_camera_that_one_session_reads_all_the_time_loses_nothing() -> None:
    assert found(session(90.0, 199.9)) == Outcome(0.2, 0, 0)


def test_the_longest_of_several_gaps_is_told_and_the_frames_of_all() -> None:
    outcome_ = found(ended(90.0, 120.0), ended(121.0, 130.0), session(132.0, 199.9))
    assert outcome_.gap == pytest.approx(2.0)
    assert (outcome_.gap_frames, outcome_.lost) == (9, 13)


def test_a_session_that_brought_no_frame_fills_no_gap() -> None:
    tried = session(None, opened=151.0)
    assert found(ended(90.0, 150.0), tried, session(152.0, 199.9)).lost == 9


def test_a_camera_that_is_never_read_again_is_without_frames_to_the_end() -> None:
    assert found(ended(90.0, 150.0)).gap == pytest.approx(50.0)
    assert found().gap == pytest.approx(100.0)


def test_a_session_that_begins_as_the_window_ends_fills_no_gap_in_it() -> None:
    for began in (200.0, 201.0):
        assert found(ended(90.0, 150.0), session(began)).gap == pytest.approx(50.0)


def test_what_was_before_and_comes_after_the_window_is_not_judged() -> None:
    assert found(ended(10.0, 20.0), ended(50.0, 200.5), session(300.0)) == Outcome(0.2, 0, 0)


def test_a_dead_host_receives_nothing_however_long_the_camera_goes_on_sending() -> None:
    """Its kernel answers no more, so the session of the dead is open on the camera's side."""
    dead = session(90.0, 199.9, client="10.91.1.7:4000")
    others = ended(90.0, 95.0, client="10.91.2.9:4000"), session(160.0, 199.9)
    outcome_ = found(dead, *others, cuts=(Cut(150.1, "10.91.1.7"),))
    assert outcome_.gap == pytest.approx(10.0)
    assert outcome_.lost == 49
    assert found(dead, *others).lost == 0


def test_a_host_that_comes_back_receives_by_what_it_opens_then() -> None:
    cut = Cut(150.0, "10.91.1.7")
    again = session(160.0, 199.9, client="10.91.1.7:4001")
    assert found(session(90.0, 199.9), again, cuts=(cut,)).gap == pytest.approx(10.0)


def test_a_session_that_ended_before_the_cut_is_as_it_was() -> None:
    sessions = ended(90.0, 140.0), session(140.2, 199.9, client="10.91.2.9:1")
    assert found(*sessions, cuts=(Cut(150.0, "10.91.1.7"),)).lost == 0


SPANS = st.lists(
    st.tuples(st.integers(0, 1200), st.integers(0, 300)).map(lambda one: (one[0], sum(one))),
    max_size=6,
)


@given(SPANS)
def test_lost_are_those_ticks_of_the_newest_session_before_that_no_session_covers(
    spans: list[tuple[int, int]],
) -> None:
    """By counting ticks one by one; times are in tenths, the interval is two of them."""
    sessions = [ended(at / 10, until / 10) for at, until in spans]
    lost = 0
    began, end = 1000, 2000
    for start in {began, *(until for _, until in spans if began < until < end)}:
        if any(at <= start < until for at, until in spans):
            continue
        following = min([at for at, _ in spans if at > start], default=end)
        lost += len(range(start + 2, min(following, end), 2))
    assert found(*sessions).lost == lost


@given(SPANS, st.integers(1000, 2000))
def test_a_cut_never_finds_frames(spans: list[tuple[int, int]], at: int) -> None:
    sessions = [ended(one / 10, until / 10) for one, until in spans]
    assert found(*sessions).gap <= found(*sessions, cuts=(Cut(at / 10, "10.91.1.7"),)).gap + 0.2


def test_who_was_being_sent_frames_is_known_by_host() -> None:
    sessions = [
        ended(90.0, 150.0, client="10.91.1.7:1"),
        session(140.0, 199.0, client="10.91.2.9:2"),
        session(None, opened=95.0, client="10.91.3.4:3"),
    ]
    assert read_by(sessions, 145.0) == {"10.91.1.7", "10.91.2.9"}
    assert read_by(sessions, 160.0) == {"10.91.2.9"}
    assert read_by(sessions, 80.0) == frozenset()


def test_a_camera_flows_while_a_session_that_is_not_cut_off_brings_frames() -> None:
    cut = [Cut(150.0, "10.91.1.7")]
    assert flows([session(90.0, 159.9)], [], 160.0)
    assert not flows([session(90.0, 159.9)], cut, 160.0)
    assert not flows([session(90.0, 150.0)], [], 160.0)
    assert not flows([ended(90.0, 159.9)], [], 160.0)
    assert not flows([session(None, opened=159.0)], [], 160.0)
    assert flows([session(155.0, 159.9)], cut, 160.0)


def test_only_the_sessions_that_a_cut_hid_from_the_camera_are_excused() -> None:
    sessions = [
        session(90.0, 199.0, client="10.91.1.7:1"),
        session(160.0, 199.0, client="10.91.1.7:2"),
        session(90.0, 199.0, client="10.91.2.9:3"),
        ended(90.0, 140.0, client="10.91.1.7:4"),
    ]
    (freeze,) = excuses(sessions, [Cut(150.0, "10.91.1.7")])
    assert freeze.clients == {"10.91.1.7:1"}
    assert (freeze.began, freeze.woke) == (150.0, float("inf"))
