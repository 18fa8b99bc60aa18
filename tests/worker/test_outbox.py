"""What the outbox keeps, and what it gives up."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from ingest_core.events import CameraDisconnected, Event, FrameIngested, event
from ingest_worker.outbox import Outbox


def frame(number: int) -> Event:
    fact = FrameIngested(
        camera_id="c", timestamp=1.0, source="rtsp", keyframe=False, bytes=1, frame=number
    )
    return event(fact, source="s", epoch=1, sequence=number)


def state(number: int) -> Event:
    fact = CameraDisconnected(camera_id="c", reason="Stalled", timestamp=1.0)
    return event(fact, source="s", epoch=1, sequence=number)


def test_a_flood_of_frames_never_pushes_out_another_event() -> None:
    outbox = Outbox(max_frames=3, max_states=3)
    outbox.add(state(0))
    pushed_out = [outbox.add(frame(number)) for number in range(1, 6)]
    assert [e.event.sequence for e in pushed_out if e] == [1, 2]
    assert [e.event.sequence for e in outbox.take(9)] == [0, 3, 4, 5]


def test_the_oldest_of_the_rare_events_goes_when_they_are_too_many() -> None:
    outbox = Outbox(max_frames=3, max_states=2)
    pushed_out = [outbox.add(state(number)) for number in range(3)]
    assert [e.event.sequence for e in pushed_out if e] == [0]


def test_what_comes_back_stands_in_front_and_is_the_first_to_go() -> None:
    outbox = Outbox(max_frames=3, max_states=3)
    for number in range(3):
        outbox.add(frame(number))
    taken = outbox.take(2)
    outbox.add(frame(3))
    assert [e.event.sequence for e in outbox.restore(taken)] == [0]
    assert [e.event.sequence for e in outbox.clear()] == [1, 2, 3]
    assert len(outbox) == 0


Step = tuple[str, int]
STEPS = st.lists(
    st.tuples(st.sampled_from(["frame", "state", "take", "restore"]), st.integers(1, 4))
)


@given(STEPS)
def test_nothing_is_lost_twice_or_out_of_order_and_the_bounds_hold(steps: list[Step]) -> None:
    outbox = Outbox(max_frames=5, max_states=3)
    offered = 0
    out: list[int] = []
    pushed_out: list[int] = []
    for what, count in steps:
        if what == "take":
            out += [e.ordinal for e in outbox.take(count)]
        elif what == "restore":
            pushed_out += [e.ordinal for e in outbox.restore(outbox.take(count))]
        else:
            for _ in range(count):
                offered += 1
                gone = outbox.add(frame(1) if what == "frame" else state(1))
                pushed_out += [gone.ordinal] if gone else []
        assert len(outbox) <= 8
    out += [e.ordinal for e in outbox.clear()]
    assert out == sorted(out)
    assert Counter(out + pushed_out) == Counter(range(1, offered + 1))
