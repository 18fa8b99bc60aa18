"""The ring: whole groups of pictures, within its bytes and its seconds."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest_worker.ring import FRAME_OVERHEAD, JPEG, Frame, Ring

COST = 100 + FRAME_OVERHEAD  # of a frame as `frame` makes it


def frame(
    sequence: int, *, keyframe: bool = False, size: int = 100, at: float | None = None
) -> Frame:
    return Frame(sequence, float(sequence) if at is None else at, keyframe, bytes(size), JPEG)


def filled(ring: Ring, pattern: str) -> Ring:
    """K and P for a keyframe and one that is none, a second apart, numbered from 1."""
    for sequence, letter in enumerate(pattern, start=1):
        ring.append(frame(sequence, keyframe=letter == "K"))
    return ring


def sequences(frames: Sequence[Frame] | Ring) -> list[int]:
    return [one.sequence for one in frames]


def test_what_comes_before_the_first_keyframe_is_not_kept() -> None:
    ring = Ring(seconds=10, max_bytes=10_000)
    assert not ring.append(frame(1))
    assert ring.append(frame(2, keyframe=True))
    assert ring.append(frame(3))
    assert sequences(ring) == [2, 3]


def test_a_group_goes_only_when_the_next_one_covers_the_seconds_by_itself() -> None:
    ring = filled(Ring(seconds=4, max_bytes=100_000), "KPPKPP")
    assert sequences(ring) == [1, 2, 3, 4, 5, 6]
    ring.append(frame(7, keyframe=True))
    assert sequences(ring) == [1, 2, 3, 4, 5, 6, 7]
    ring.append(frame(8))
    assert sequences(ring) == [4, 5, 6, 7, 8]


def test_over_its_bytes_the_oldest_group_goes_whole() -> None:
    ring = filled(Ring(seconds=100, max_bytes=4 * COST), "KPKP")
    assert sequences(ring) == [1, 2, 3, 4]
    assert ring.append(frame(5))
    assert sequences(ring) == [3, 4, 5]
    assert ring.bytes == 3 * COST


def test_a_group_larger_than_the_ring_is_let_go_and_the_next_keyframe_begins_anew() -> None:
    ring = filled(Ring(seconds=100, max_bytes=3 * COST), "KPP")
    assert not ring.append(frame(4))
    assert (len(ring), ring.bytes, ring.seconds) == (0, 0, 0.0)
    assert not ring.append(frame(5))
    assert ring.append(frame(6, keyframe=True))
    assert sequences(ring) == [6]


def test_a_frame_larger_than_the_ring_leaves_nothing_behind() -> None:
    ring = Ring(seconds=100, max_bytes=1000)
    assert not ring.append(frame(1, keyframe=True, size=1001))
    assert (len(ring), ring.bytes) == (0, 0)


def test_after_a_cut_nothing_is_kept_until_a_keyframe() -> None:
    ring = filled(Ring(seconds=100, max_bytes=100_000), "KP")
    ring.cut()
    assert not ring.append(frame(3))
    assert ring.append(frame(4, keyframe=True))
    assert sequences(ring) == [1, 2, 4]


def test_other_bounds_hold_at_once() -> None:
    ring = filled(Ring(seconds=100, max_bytes=100_000), "KPKPKP")
    ring.resize(seconds=100, max_bytes=4 * COST)
    assert sequences(ring) == [3, 4, 5, 6]
    ring.resize(seconds=1, max_bytes=100_000)
    assert sequences(ring) == [5, 6]
    ring.resize(seconds=1, max_bytes=COST)
    assert sequences(ring) == []
    assert not ring.append(frame(7))


def test_an_empty_ring_can_be_resized() -> None:
    ring = Ring(seconds=1, max_bytes=1000)
    ring.resize(seconds=2, max_bytes=2000)
    assert len(ring) == 0


@pytest.mark.parametrize(
    ("sequence", "group"), [(1, [1]), (3, [1, 2, 3]), (4, [4]), (5, [4, 5]), (0, []), (6, [])]
)
def test_a_group_reaches_from_its_keyframe_to_the_frame_asked_for(
    sequence: int, group: list[int]
) -> None:
    ring = filled(Ring(seconds=100, max_bytes=100_000), "KPPKP")
    assert sequences(ring.group_until(sequence)) == group


def test_a_number_that_was_skipped_is_not_there() -> None:
    ring = Ring(seconds=100, max_bytes=100_000)
    ring.append(frame(1, keyframe=True))
    ring.append(frame(3))
    assert ring.group_until(2) == ()


def test_its_seconds_are_those_between_its_oldest_and_its_newest_frame() -> None:
    assert filled(Ring(seconds=100, max_bytes=100_000), "KPPKP").seconds == 4.0


frames_of_a_camera = st.lists(
    st.tuples(st.booleans(), st.integers(0, 3000), st.floats(0.001, 3)), max_size=60
)
bounds = st.tuples(st.integers(1, 20), st.integers(500, 20_000))


@given(frames_of_a_camera, bounds, bounds)
def test_whatever_comes_the_ring_is_bounded_and_its_oldest_frame_decodable(
    coming: list[tuple[bool, int, float]], first: tuple[int, int], second: tuple[int, int]
) -> None:
    ring, at = Ring(*first), 0.0
    _, max_bytes = first
    for sequence, (keyframe, size, interval) in enumerate(coming):
        if sequence == len(coming) // 2:
            ring.resize(*second)
            max_bytes = second[1]
        at += interval
        kept = ring.append(frame(sequence, keyframe=keyframe, size=size, at=at))
        held = list(ring)
        assert kept == (held[-1:] != [] and held[-1].sequence == sequence)
        assert ring.bytes == sum(len(one.data) + FRAME_OVERHEAD for one in held) <= max_bytes
        assert len(ring) == len(held)
        assert all(one.keyframe for one in held[:1])
        for one in held:
            group = ring.group_until(one.sequence)
            assert group[-1] is one
            assert group[0].keyframe
            assert not any(inner.keyframe for inner in group[1:])
        assert ring.group_until(sequence + 1) == ()
    keys = [one.timestamp for one in ring if one.keyframe]
    assert all(key > at - second[0] for key in keys[1:]) or not coming[1:]
