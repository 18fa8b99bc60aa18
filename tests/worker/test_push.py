"""Frames that are pushed: who may, how often, how large, how late; in virtual time."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor, Future
from contextlib import asynccontextmanager
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest_core.errors import CaptureError, Failure, NotCaptured, PushRefused
from ingest_core.events import CameraConnected, Event, FrameIngested, MotionDetected, MotionEnded
from ingest_core.model import ConnectedReason, Motion, PushSource, SecretRef
from ingest_worker import push
from ingest_worker.push import CLOCK_SECONDS, MAX_BODIES, TRUST_SECONDS, Push
from tests.fakes import footage
from tests.fakes.cameras import feed_of, push_camera
from tests.fakes.virtual_time import in_virtual_time

TOKEN = SecretRef(name="s", key="token")


class Inline(Executor):
    """Does it at once; or later, while `held`."""

    def __init__(self) -> None:
        self.held: list[Callable[[], object]] | None = None

    def submit(self, job: Callable[..., Any], /, *_: Any, **__: Any) -> Future[Any]:
        if self.held is not None:
            self.held.append(job)
        else:
            job()
        return Future()


class Receiving:
    """The receiving end at a clock that the test sets, and what its feed tells."""

    def __init__(self, source: PushSource | None = None, **spec: Any) -> None:
        self.at = 1_763_801_000.0
        self.events: list[Event] = []
        self.executor = Inline()
        camera = push_camera(source=source, **spec)
        assert camera.spec.source.push is not None
        self.feed = feed_of(camera, self.events.append, clock=self.now, now=self.now)
        self.push = Push(
            camera.spec.source.push, self.feed, self.executor, clock=self.now, now=self.now
        )

    def now(self) -> float:
        return self.at

    def take(self, claimed: float | None = None, data: bytes | None = None) -> int:
        return self.push.take(footage.jpeg() if data is None else data, claimed)

    def refusal(self, claimed: float | None = None, data: bytes | None = None) -> int:
        with pytest.raises(PushRefused) as refused:
            self.take(claimed, data)
        return refused.value.status

    def facts(self, type_: type) -> list[Any]:
        return [event.data for event in self.events if isinstance(event.data, type_)]

    @property
    def stamps(self) -> list[float]:
        return [frame.timestamp for frame in self.feed.held()]


def test_a_frame_is_in_the_ring_shown_and_told() -> None:
    one = Receiving()
    assert one.take(one.at - 1) == 1
    assert one.feed.held()[0].data == footage.jpeg()
    assert one.feed.newest is not None
    assert (one.feed.newest.picture, one.feed.newest.captured) == (None, one.at - 1)
    (told,) = one.facts(FrameIngested)
    assert (told.source, told.keyframe, told.timestamp) == ("http_push", True, one.at - 1)
    (connected,) = one.facts(CameraConnected)
    assert (connected.width, connected.height, connected.codec) == (64, 48, "mjpeg")


@pytest.mark.parametrize("bearer", [None, "", "wrong", "s3cre", "s3cret ", "s\udcff", "sécret"])
def test_without_the_right_token_nothing_comes_in(bearer: str | None) -> None:
    one = Receiving(PushSource(token_secret_ref=TOKEN))
    one.push.token = "s3cret"
    one.push.admit("s3cret")
    with pytest.raises(PushRefused) as refused:
        one.push.admit(bearer)
    assert refused.value.status == 401
    assert "s3cret" not in str(refused.value)


def test_a_token_that_is_not_known_lets_nobody_in() -> None:
    one = Receiving(PushSource(token_secret_ref=TOKEN))
    for bearer in (None, "", "None"):
        with pytest.raises(PushRefused) as refused:
            one.push.admit(bearer)
        assert (refused.value.status, refused.value.retry_after) == (503, 1)


def test_a_camera_without_a_token_takes_frames_of_anybody() -> None:
    Receiving().push.admit(None)


def test_a_wrong_token_costs_nothing_of_the_rate() -> None:
    one = Receiving(PushSource(token_secret_ref=TOKEN, max_fps=1))
    one.push.token = "token"
    for _ in range(10):
        with pytest.raises(PushRefused, match="token"):
            one.push.admit("wrong")
    one.push.admit("token")


def test_over_the_rate_a_frame_is_refused_counted_and_told_when_to_come_again() -> None:
    one = Receiving(PushSource(max_fps=5))
    for _ in range(5):
        one.push.admit(None)
    with pytest.raises(PushRefused) as refused:
        one.push.admit(None)
    assert (refused.value.status, refused.value.retry_after) == (429, 1)
    assert one.feed.drops == {"rate": 1}
    one.at += 0.19
    with pytest.raises(PushRefused):
        one.push.admit(None)
    one.at += 0.02
    one.push.admit(None)


@given(st.integers(1, 120), st.lists(st.floats(0, 0.5), min_size=1, max_size=200))
def test_whoever_pushes_gets_a_second_of_burst_and_then_the_rate(
    rate: int, pauses: list[float]
) -> None:
    one = Receiving(PushSource(max_fps=rate))
    began, taken = one.at, 0
    for pause in pauses:
        one.at += pause
        try:
            one.push.admit(None)
        except PushRefused:
            continue
        taken += 1
    assert taken <= rate + (one.at - began) * rate + 1e-3


def test_a_frame_beyond_its_bytes_is_refused_before_it_is_looked_at() -> None:
    one = Receiving(PushSource(max_frame_bytes=1024))
    assert one.refusal(data=bytes(1025)) == 413
    assert one.refusal(data=bytes(1024)) == 422
    assert one.feed.drops == {"oversized": 1, "invalid": 1}
    assert one.feed.frames == 0


def test_an_equal_timestamp_is_the_same_frame() -> None:
    one = Receiving()
    first = one.take(one.at)
    later = one.take(one.at + 1)
    assert (first, later) == (1, 2)
    assert one.take(one.at) == first
    assert one.take(one.at + 1) == later
    assert one.feed.frames == 2
    assert one.feed.drops == {"repeated": 2}


def test_an_equal_timestamp_is_known_again_even_when_it_was_not_believed() -> None:
    one = Receiving()
    assert one.take(12.0) == 1
    one.at += 1
    assert one.take(12.0) == 1


def test_a_wrong_clock_that_stands_hides_no_picture() -> None:
    one = Receiving()
    assert one.take(12.0, footage.jpeg(level=1)) == 1
    one.at += 1
    assert one.take(12.0, footage.jpeg(level=200)) == 2


def test_only_so_many_bodies_of_a_camera_are_read_at_once() -> None:
    one = Receiving()
    with contextlib.ExitStack() as bodies:
        for _ in range(MAX_BODIES):
            bodies.enter_context(one.push.reading())
        with pytest.raises(PushRefused) as refused, one.push.reading():
            pass
        assert refused.value.status == 429
    with one.push.reading():
        pass


def test_a_receiver_that_was_closed_takes_nothing() -> None:
    one = Receiving()
    one.push.close()
    with pytest.raises(NotCaptured):
        one.take()
    assert one.feed.frames == 0


def test_only_the_last_timestamps_are_known_again() -> None:
    one = Receiving()
    for index in range(300):
        one.at += 1
        one.take(float(index))
    assert one.take(299.0) == 300
    assert one.take(44.0) == 45
    assert one.take(43.0) == 301


@pytest.mark.parametrize(
    ("off", "taken"),
    [
        (0, 0),
        (-1.5, -1.5),
        (-CLOCK_SECONDS, -CLOCK_SECONDS),
        (-5.01, -CLOCK_SECONDS),
        (-1e9, -CLOCK_SECONDS),
        (1.5, 0),  # nothing is captured after it has arrived
        (1e9, 0),
    ],
)
def test_a_timestamp_is_taken_between_five_seconds_ago_and_its_arrival(
    off: float, taken: float
) -> None:
    one = Receiving()
    one.take(one.at + off)
    assert one.stamps == [one.at + taken]


@pytest.mark.parametrize("ago", [5.01, 60, 3600, 86400])
def test_an_old_frame_of_a_device_whose_clock_was_right_is_refused_and_never_made_new(
    ago: float,
) -> None:
    one = Receiving()
    one.take(one.at)
    one.at += 1
    assert one.refusal(one.at - ago) == 422
    assert one.feed.drops == {"late": 1}
    one.at += TRUST_SECONDS
    assert one.take(one.at - ago) == 2
    assert one.stamps[-1] == one.at - CLOCK_SECONDS


def test_without_a_timestamp_it_is_the_arrival_and_grows() -> None:
    one = Receiving()
    for _ in range(3):
        one.take()
    assert one.stamps == sorted(set(one.stamps))
    assert one.at <= one.stamps[0] < one.stamps[2] < one.at + 1e-3


def test_a_believed_timestamp_before_the_last_one_is_refused() -> None:
    one = Receiving()
    one.take(one.at)
    assert one.refusal(one.at - 1) == 422
    assert one.feed.drops == {"late": 1}
    assert one.feed.frames == 1


def test_a_clock_that_runs_ahead_makes_no_later_frame_late() -> None:
    one = Receiving()
    one.take(one.at + 4)
    one.at += 0.1
    one.take(one.at)
    assert one.stamps == [one.at - 0.1, one.at]


def test_a_receiver_made_anew_goes_on_after_the_last_frame() -> None:
    one = Receiving()
    one.take(one.at)
    anew = Push(PushSource(), one.feed, one.executor, clock=one.now, now=one.now)
    with pytest.raises(PushRefused, match="later"):
        anew.take(footage.jpeg(), one.at - 3)


@pytest.mark.parametrize("data", [b"", b"GIF89a", footage.jpeg()[:-300]])
def test_what_is_no_whole_jpeg_is_refused_and_says_why(data: bytes) -> None:
    one = Receiving()
    assert one.refusal(data=data) == 422
    assert one.feed.drops == {"invalid": 1}
    assert not one.feed.state.connected


times = st.one_of(st.none(), st.floats(-20, 20), st.just(0.0), st.sampled_from([-1e9, 1e9]))


@given(st.lists(st.tuples(times, st.floats(0, 3)), max_size=40))
def test_whatever_devices_claim_capture_times_grow_and_lie_near_the_arrival(
    claims: list[tuple[float | None, float]],
) -> None:
    one = Receiving(motion=Motion(enabled=False))
    for off, passed in claims:
        one.at += passed
        before = one.feed.frames
        try:
            taken = one.take(None if off is None else one.at + off)
        except PushRefused:
            continue
        newest = one.feed.newest
        assert newest is not None
        assert one.feed.frames - before == (taken > before)
        assert newest.frame.timestamp <= one.at + 1e-3
    assert one.stamps == sorted(set(one.stamps))


def scene(square: int | None, width: int = 640, height: int = 360) -> bytes:
    luma = np.full((height, width), 90, np.uint8)
    if square is not None:
        luma[100:220, square : square + 120] = 230
    return cv2.imencode(".jpg", luma)[1].tobytes()


def test_motion_in_pushed_frames_is_told_in_pixels_of_the_source() -> None:
    one = Receiving()
    for index in range(80):
        one.at += 0.2
        one.take(one.at, scene((index - 30) * 15 if 30 <= index < 45 else None))
    (began,), (ended,) = one.facts(MotionDetected), one.facts(MotionEnded)
    box = began.box
    assert 90 <= box.y <= 115
    assert 95 <= box.height <= 140
    assert box.x + box.width <= 640
    assert 0.4 * 120 * 120 < began.area < 1.6 * 120 * 120
    assert ended.duration_seconds > 2


def test_what_comes_while_one_picture_is_looked_at_is_not_looked_at() -> None:
    one = Receiving()
    one.executor.held = []
    for _ in range(5):
        one.at += 1
        one.take(one.at)
    assert len(one.executor.held) == 1
    one.executor.held.pop()()
    one.at += 1
    one.take(one.at)
    assert len(one.executor.held) == 1


def test_a_picture_that_does_not_decode_is_counted_and_the_next_one_looked_at() -> None:
    one = Receiving()
    broken = bytearray(footage.jpeg(64, 48, seed=3))
    at = broken.index(b"\xff\xc4")  # the Huffman tables: without them there is no picture
    broken[at + 4 : at + 24] = b"\xff" * 20
    one.take(one.at, bytes(broken))
    assert one.feed.decode_errors == 1
    one.at += 1
    one.take(one.at)
    assert one.feed.decode_errors == 1


def test_without_motion_no_frame_is_decoded() -> None:
    one = Receiving(motion=Motion(enabled=False))
    one.executor.held = []
    one.take()
    assert one.executor.held == []


class Supervised:
    """A push camera under `supervise`."""

    def __init__(self, source: PushSource | None = None) -> None:
        now = asyncio.get_running_loop().time
        camera = push_camera(source=source)
        assert camera.spec.source.push is not None
        self.events: list[Event] = []
        self.feed = feed_of(camera, self.events.append, clock=now, now=now)
        self.push = Push(camera.spec.source.push, self.feed, Inline(), clock=now, now=now)
        self.nudged = asyncio.Event()
        self.nudged.set()
        self.token: str | CaptureError | None = None
        self.read: list[float] = []

    async def read_token(self) -> str | None:
        self.read.append(asyncio.get_running_loop().time())
        if isinstance(self.token, CaptureError):
            raise self.token
        return self.token

    def take(self) -> None:
        self.push.take(footage.jpeg(), None)

    @property
    def reason(self) -> str:
        return self.feed.state.reason

    @property
    def types(self) -> list[str]:
        return [event.type for event in self.events]


@asynccontextmanager
async def supervised(source: PushSource | None = None) -> AsyncIterator[Supervised]:
    one = Supervised(source)
    task = asyncio.create_task(push.supervise(one.push, one.feed, one.read_token, one.nudged))
    yield one
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()


@in_virtual_time
async def test_a_device_that_stops_has_stalled_and_comes_back_with_its_next_frame() -> None:
    async with supervised() as one:
        await asyncio.sleep(0.1)
        assert one.reason == ConnectedReason.WAITING_FOR_PUSH
        one.take()
        assert one.feed.state.connected
        await asyncio.sleep(10)
        assert one.feed.state.connected
        await asyncio.sleep(1.5)
        assert one.reason == Failure.STALLED
        one.nudged.set()
        await asyncio.sleep(100)
        assert one.reason == Failure.STALLED, "a stalled device stays told as stalled"
        one.take()
        assert one.feed.state.connected
        connected = one.events[-1].data
        assert isinstance(connected, CameraConnected)
        assert connected.downtime_seconds == pytest.approx(100, abs=2)
        assert one.types.count("camera.disconnected") == 1
        assert one.feed.disconnects == {"Stalled": 1}


@in_virtual_time
async def test_a_device_that_pushes_seldom_is_not_said_to_have_stalled() -> None:
    async with supervised() as one:
        for _ in range(10):
            one.take()
            await asyncio.sleep(9)
        await asyncio.sleep(30)
        assert one.feed.state.connected
        await asyncio.sleep(9)
        assert not one.feed.state.connected


@in_virtual_time
async def test_a_token_is_read_at_once_when_told_of_and_else_every_thirty_seconds() -> None:
    async with supervised(PushSource(token_secret_ref=TOKEN)) as one:
        one.token = "first"
        await asyncio.sleep(0.1)
        assert one.push.token == "first"
        one.token = "second"
        one.nudged.set()
        await asyncio.sleep(0.1)
        assert one.push.token == "second"
        one.token = "third"
        await asyncio.sleep(31.5)
        assert one.push.token == "third"
        assert len(one.read) == 3


@in_virtual_time
async def test_a_token_whose_secret_is_gone_lets_nobody_in_and_says_so() -> None:
    async with supervised(PushSource(token_secret_ref=TOKEN)) as one:
        one.token = "token"
        await asyncio.sleep(0.1)
        one.push.admit("token")
        one.token = CaptureError(Failure.CREDENTIALS_MISSING, "no secret")
        one.nudged.set()
        await asyncio.sleep(0.1)
        with pytest.raises(PushRefused):
            one.push.admit("token")
        assert one.reason == Failure.CREDENTIALS_MISSING
        one.token = "token"
        one.nudged.set()
        await asyncio.sleep(0.1)
        assert one.reason == ConnectedReason.WAITING_FOR_PUSH
        one.push.admit("token")


@in_virtual_time
async def test_a_token_that_cannot_be_read_just_now_stays_what_it_was() -> None:
    async with supervised(PushSource(token_secret_ref=TOKEN)) as one:
        one.token = "token"
        await asyncio.sleep(0.1)
        one.token = CaptureError(Failure.UNREACHABLE, "the API server is away")
        await asyncio.sleep(120)
        one.push.admit("token")
        assert one.reason == ConnectedReason.WAITING_FOR_PUSH
        with pytest.raises(PushRefused):
            one.push.admit("another")


@in_virtual_time
async def test_a_token_that_is_made_after_its_camera_is_found_soon() -> None:
    async with supervised(PushSource(token_secret_ref=TOKEN)) as one:
        one.token = CaptureError(Failure.CREDENTIALS_MISSING, "no secret")
        await asyncio.sleep(1)
        assert one.reason == Failure.CREDENTIALS_MISSING
        one.token = "token"
        await asyncio.sleep(1)
        one.push.admit("token")
    async with supervised(PushSource(token_secret_ref=TOKEN)) as never:
        never.token = CaptureError(Failure.CREDENTIALS_MISSING, "no secret")
        await asyncio.sleep(300)
        assert len(never.read) < 20
