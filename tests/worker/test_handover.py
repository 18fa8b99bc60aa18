"""What a worker must do with one camera, whoever else has to do with it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from ingest_core.model import (
    Assignment,
    Camera,
    CameraSpec,
    CameraStatus,
    Metadata,
    PushSource,
    RtspSource,
    Source,
    Stream,
)
from ingest_worker.handover import YIELD_SECONDS, Duty, duty, is_exclusive, may_report

A, B, C = "default-0", "default-1", "default-2"
URL = "rtsp://192.0.2.1/stream"
SHARED = Source(rtsp=RtspSource(url=URL))
EXCLUSIVE = Source(rtsp=RtspSource(url=URL, session="Exclusive"))
PUSH = Source(push=PushSource())
TIME = "2026-11-22T09:00:00Z"


def camera(
    assignment: Assignment | None,
    source: Source = SHARED,
    stream: Stream | None = None,
    *,
    suspend: bool = False,
) -> Camera:
    return Camera(
        metadata=Metadata(name="lobby"),
        spec=CameraSpec(source=source, suspend=suspend),
        status=CameraStatus(assignment=assignment, stream=stream),
    )


def given_to(worker: str | None, previous: str | None = None, epoch: int = 2) -> Assignment:
    return Assignment(worker=worker, previous=previous, epoch=epoch)


def duty_of(me: str, camera: Camera, *, captured: bool = True, yielding_for: float = 0.0) -> Duty:
    return duty(camera, me, captured=captured, yielding_for=yielding_for)


CONNECTED = Stream(worker=B, epoch=2, connected_time=TIME)
CONNECTING = Stream(worker=B, epoch=2)
STALE = Stream(worker=A, epoch=1, connected_time=TIME)
RELEASED = Stream(worker=A, epoch=1, connected_time=TIME, released_epoch=2)
RELEASED_BEFORE = Stream(worker=A, epoch=1, connected_time=TIME, released_epoch=1)


@pytest.mark.parametrize("source", [SHARED, EXCLUSIVE, PUSH])
def test_a_camera_that_only_one_worker_has_to_do_with_is_captured_by_it(source: Source) -> None:
    mine = camera(given_to(A), source)
    assert duty_of(A, mine, captured=False) is Duty.CAPTURE
    assert duty_of(B, mine, captured=False) is Duty.NOTHING
    for nobodys in (camera(None, source), camera(given_to(None), source)):
        assert duty_of(A, nobodys) is Duty.NOTHING


@pytest.mark.parametrize("source", [SHARED, PUSH])
@pytest.mark.parametrize("stream", [None, STALE, CONNECTING, RELEASED_BEFORE])
def test_the_old_worker_yields_until_the_new_one_is_seen_connected(
    source: Source, stream: Stream | None
) -> None:
    moving = camera(given_to(B, A), source, stream)
    assert duty_of(B, moving, captured=False) is Duty.CAPTURE, "the new one connects at once"
    assert duty_of(A, moving) is Duty.YIELD
    assert duty_of(A, replace(moving, status=camera(given_to(B, A), source, CONNECTED).status)) is (
        Duty.RELEASE
    )


def test_the_old_worker_yields_for_thirty_seconds_and_no_longer() -> None:
    moving = camera(given_to(B, A), stream=STALE)
    assert duty_of(A, moving, yielding_for=YIELD_SECONDS - 0.001) is Duty.YIELD
    assert duty_of(A, moving, yielding_for=YIELD_SECONDS) is Duty.RELEASE


def test_who_brings_no_frames_has_nothing_to_yield() -> None:
    assert duty_of(A, camera(given_to(B, A), stream=STALE), captured=False) is Duty.RELEASE
    assert duty_of(A, camera(given_to(B, A), stream=STALE, suspend=True)) is Duty.RELEASE


def test_nobody_is_yielded_to() -> None:
    assert duty_of(A, camera(given_to(None, A), stream=STALE)) is Duty.RELEASE


def test_what_was_let_go_of_is_not_let_go_of_again() -> None:
    for source in (SHARED, EXCLUSIVE):
        assert duty_of(A, camera(given_to(B, A), source, RELEASED)) is Duty.NOTHING
        later = camera(given_to(C, A, epoch=3), source, RELEASED)
        assert duty_of(A, later, captured=False) is Duty.RELEASE


def test_an_exclusive_camera_breaks_before_it_makes() -> None:
    moving = camera(given_to(B, A), EXCLUSIVE, STALE)
    assert duty_of(A, moving) is Duty.RELEASE
    assert duty_of(B, moving, captured=False) is Duty.WAIT
    released = camera(given_to(B, A), EXCLUSIVE, RELEASED)
    assert duty_of(B, released, captured=False) is Duty.WAIT, "that is for the operator to say"
    assert duty_of(B, camera(given_to(B), EXCLUSIVE, RELEASED)) is Duty.CAPTURE


@pytest.mark.parametrize(
    ("assignment", "connected", "expected"),
    [
        (given_to(B), False, True),
        (given_to(B), True, True),
        (given_to(B, A), False, False),
        (given_to(B, A), True, True),
        (given_to(A), True, False),
        (given_to(A, B), True, False),
        (given_to(None), True, False),
        (None, True, False),
    ],
)
def test_in_a_handover_the_new_worker_speaks_once_it_is_connected_and_the_old_one_never(
    assignment: Assignment | None,
    connected: bool,  # noqa: FBT001 - a table's column
    expected: bool,  # noqa: FBT001 - a table's column
) -> None:
    assert may_report(camera(assignment), B, connected=connected) is expected


workers = st.sampled_from([A, B, C])
maybe = st.none() | workers
epochs = st.integers(1, 4)
streams = st.none() | st.builds(
    Stream,
    worker=workers,
    epoch=st.none() | epochs,
    released_epoch=st.none() | epochs,
    connected_time=st.sampled_from([None, TIME]),
)
assignments = st.builds(Assignment, worker=maybe, previous=maybe, epoch=epochs).filter(
    lambda one: one.worker is None or one.worker != one.previous
)
cameras = st.builds(
    camera,
    st.none() | assignments,
    st.sampled_from([SHARED, EXCLUSIVE, PUSH]),
    streams,
    suspend=st.booleans(),
)
ages = st.floats(0, 60)


@given(cameras, st.booleans(), ages)
def test_of_an_exclusive_camera_two_workers_never_have_a_session(
    seen: Camera,
    captured: bool,  # noqa: FBT001 - drawn
    age: float,
) -> None:
    every = [duty(seen, me, captured=captured, yielding_for=age) for me in (A, B, C)]
    at_most = 1 if is_exclusive(seen) else 2
    assert sum(one in (Duty.CAPTURE, Duty.YIELD) for one in every) <= at_most
    if is_exclusive(seen):
        assert Duty.YIELD not in every
        assert not (Duty.CAPTURE in every and Duty.RELEASE in every)


@given(cameras, ages)
def test_a_shared_camera_that_has_a_worker_is_never_without_one(seen: Camera, age: float) -> None:
    assignment = seen.status.assignment
    if assignment is None or assignment.worker is None or is_exclusive(seen):
        return
    assert duty(seen, assignment.worker, captured=False, yielding_for=0) is Duty.CAPTURE
    previous = assignment.previous
    if previous is None:
        return
    lets_go = duty(seen, previous, captured=True, yielding_for=age) is not Duty.YIELD
    stream = seen.status.stream or Stream()
    taken = stream.connected_time is not None and (stream.epoch or 0) >= assignment.epoch
    released = (stream.released_epoch or 0) >= assignment.epoch
    assert lets_go == (taken or released or age >= YIELD_SECONDS or seen.spec.suspend)


@given(cameras, workers, st.booleans(), ages)
def test_a_worker_that_let_go_and_said_so_has_nothing_left_to_do(
    seen: Camera,
    me: str,
    captured: bool,  # noqa: FBT001 - drawn
    age: float,
) -> None:
    if duty(seen, me, captured=captured, yielding_for=age) is not Duty.RELEASE:
        return
    stream = replace(seen.status.stream or Stream(), released_epoch=seen.epoch)
    told = replace(seen, status=replace(seen.status, stream=stream))
    assert duty(told, me, captured=False, yielding_for=age) is Duty.NOTHING
