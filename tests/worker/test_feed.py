"""A camera's feed: numbers without a gap, an honest state, motion that ends whenever it begins."""

import threading
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest_core.errors import Failure, FrameGone
from ingest_core.events import (
    CameraConnected,
    CameraDisconnected,
    Event,
    FrameIngested,
    MotionDetected,
    MotionEnded,
)
from ingest_core.model import Buffer, ConnectedReason, Motion, RtspSource
from ingest_worker.feed import MOST_PATIENCE_SECONDS, PUSH_PATIENCE_SECONDS
from ingest_worker.motion import Detector, MotionConfig, Observation
from ingest_worker.regions import Region
from ingest_worker.ring import JPEG, Codec, Frame
from tests.fakes.cameras import feed_of, push_camera, rtsp_camera

REGION = Region(8, 16, 24, 32, 500)
SIZE = (64, 48)


class Clock:
    """A wall clock and a monotonic one, which the test sets."""

    def __init__(self) -> None:
        self.at = 1_763_801_000.0

    def now(self) -> float:
        return self.at


class Told:
    """A feed at its own clock, and all that it tells."""

    def __init__(self, **spec: Any) -> None:
        self.clock = Clock()
        self.events: list[Event] = []
        self.changes = 0
        self.feed = feed_of(
            rtsp_camera(epoch=4, **spec),
            self.events.append,
            self._changed,
            clock=self.clock.now,
            now=self.clock.now,
        )

    def _changed(self) -> None:
        self.changes += 1

    def frame(self, *, keyframe: bool = True, age: float = 0.0) -> Frame:
        feed, at = self.feed, self.clock.at - age
        frame = feed.take(b"data", keyframe=keyframe, timestamp=at, codec=JPEG)
        feed.show(frame, None)
        return frame

    def see(self, observation: Observation) -> None:
        detector = self.feed.watch.detector
        assert detector is not None
        self.feed.watch.observe(detector, observation, self.clock.at)

    def facts(self, type_: type) -> list[Any]:
        return [event.data for event in self.events if isinstance(event.data, type_)]


BEGAN = Observation(moving=True, began=REGION, region=REGION)
GOES_ON = Observation(moving=True, region=REGION)
STILL = Observation(moving=True)


def test_frames_and_events_are_numbered_from_one_without_a_gap() -> None:
    told = Told()
    told.frame()
    told.feed.connected(JPEG, SIZE)
    told.see(BEGAN)
    told.frame()
    told.feed.disconnected(Failure.STALLED, "silent")
    assert [event.sequence for event in told.events] == [1, 2, 3, 4, 5, 6]
    assert [event.type for event in told.events] == [
        "frame.ingested",
        "camera.connected",
        "motion.detected",
        "frame.ingested",
        "motion.ended",
        "camera.disconnected",
    ]
    assert [fact.frame for fact in told.facts(FrameIngested)] == [1, 2]
    assert {event.source for event in told.events} == {"camera-ingest/w/7"}
    assert told.events[0].id == "lobby/4/1"


def test_two_threads_leave_no_gap_and_no_double() -> None:
    told = Told()
    together = threading.Barrier(2)

    def session() -> None:
        together.wait()
        for _ in range(300):
            told.frame()
            told.feed.connected(JPEG, SIZE)
            told.feed.disconnected(Failure.STALLED, "")

    def motion() -> None:
        together.wait()
        for _ in range(600):
            told.see(BEGAN)
            told.see(Observation(ended=1.0))

    threads = [threading.Thread(target=session), threading.Thread(target=motion)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [event.sequence for event in told.events] == list(range(1, len(told.events) + 1))
    assert len(told.facts(MotionDetected)) - len(told.facts(MotionEnded)) in (0, 1)


def test_a_connection_is_told_once_with_how_long_it_was_away() -> None:
    told = Told()
    told.feed.connected(JPEG, SIZE)
    told.feed.connected(JPEG, SIZE)
    told.clock.at += 10
    told.feed.disconnected(Failure.STALLED, "silent")
    told.clock.at += 5
    told.feed.disconnected(Failure.UNREACHABLE, "no route")
    told.clock.at += 7.5
    told.feed.connected(JPEG, SIZE)
    first, second = told.facts(CameraConnected)
    assert (first.downtime_seconds, second.downtime_seconds) == (None, 12.5)
    assert (second.width, second.height, second.codec) == (64, 48, "mjpeg")
    (gone,) = told.facts(CameraDisconnected)
    assert gone.reason == "Stalled"
    assert told.feed.disconnects == {"Stalled": 1, "Unreachable": 1}
    assert told.feed.sessions == 2


def test_another_size_within_a_session_is_another_state_and_no_other_session() -> None:
    told = Told()
    told.feed.connected(JPEG, SIZE)
    changes = told.changes
    told.feed.connected(Codec("h264"), (128, 96))
    assert told.changes == changes + 1
    assert told.feed.sessions == 1
    assert len(told.facts(CameraConnected)) == 1
    assert told.feed.live().width == 128


def test_what_we_end_ourselves_is_told_and_is_no_failure_when_nothing_was_connected() -> None:
    told = Told()
    told.feed.disconnected(ConnectedReason.RELEASED, "")
    assert told.feed.disconnects == {}
    told.feed.connected(JPEG, SIZE)
    told.feed.disconnected(ConnectedReason.RELEASED, "")
    assert told.feed.disconnects == {"Released": 1}
    assert told.facts(CameraDisconnected)[0].reason == "Released"


def test_a_reason_is_said_only_while_not_connected_and_only_if_it_is_new() -> None:
    told = Told()
    told.feed.say(ConnectedReason.CONNECTING)
    assert told.changes == 0
    told.feed.say(Failure.CREDENTIALS_MISSING, "no secret")
    assert told.changes == 1
    told.feed.connected(JPEG, SIZE)
    told.feed.say(ConnectedReason.CONNECTING)
    assert told.feed.state.reason is ConnectedReason.CONNECTED


def test_motion_that_ends_by_itself_is_told_with_the_detectors_seconds() -> None:
    told = Told()
    told.see(BEGAN)
    assert told.feed.watch.moving
    told.see(Observation(ended=3.2))
    (began,), (ended,) = told.facts(MotionDetected), told.facts(MotionEnded)
    assert (began.area, began.box.x, began.box.height) == (500, 8, 32)
    assert ended.duration_seconds == 3.2
    assert not told.feed.watch.moving


def test_motion_in_a_session_that_ends_is_told_as_over_where_it_was_last_seen() -> None:
    told = Told()
    told.feed.connected(JPEG, SIZE)
    told.see(BEGAN)
    told.clock.at += 2.5
    told.see(GOES_ON)
    told.clock.at += 1
    told.see(STILL)
    told.clock.at += 10
    told.feed.disconnected(Failure.STALLED, "silent")
    told.feed.disconnected(Failure.UNREACHABLE, "")
    (ended,) = told.facts(MotionEnded)
    assert ended.duration_seconds == 2.5
    assert ended.timestamp == told.clock.at
    assert told.feed.watch.motion_events == 1


def test_motion_that_goes_on_while_its_settings_change_is_told_as_over() -> None:
    told = Told()
    told.see(BEGAN)
    told.feed.retune(rtsp_camera(motion=Motion(enabled=False)))
    assert told.feed.watch.detector is None
    assert len(told.facts(MotionEnded)) == 1
    told.feed.disconnected(Failure.STALLED, "")
    assert len(told.facts(MotionEnded)) == 1


def test_what_does_not_change_motion_leaves_its_detector_alone() -> None:
    told = Told()
    told.see(BEGAN)
    before = told.feed.watch.detector
    told.feed.retune(rtsp_camera(buffer=Buffer(seconds=1)))
    assert told.feed.watch.detector is before
    assert told.feed.watch.moving


def test_a_detector_that_was_let_go_has_no_say() -> None:
    told = Told()
    old = told.feed.watch.detector
    assert old is not None
    told.feed.disconnected(Failure.STALLED, "")
    told.feed.watch.observe(old, BEGAN, told.clock.at)
    assert told.events == []
    assert not told.feed.watch.moving


def test_an_end_that_a_detector_tells_on_starting_anew_is_told_once() -> None:
    told = Told()
    told.see(BEGAN)
    told.see(Observation(ended=2.0))
    told.see(Observation(ended=2.0))
    assert len(told.facts(MotionEnded)) == 1


steps = st.sampled_from(["began", "goes on", "ended", "gap", "disconnected", "retuned", "stale"])


@given(st.lists(steps, max_size=30))
def test_every_motion_that_was_told_as_begun_is_told_as_ended_exactly_once(
    doing: list[str],
) -> None:
    told = Told()
    stale, moving, sensitivity = told.feed.watch.detector, False, 0
    assert stale is not None
    for step in (*doing, "disconnected"):
        told.clock.at += 1
        if step == "began" and not moving:
            told.see(BEGAN)
            moving = True
        elif step == "goes on":
            told.see(GOES_ON)
        elif step in ("ended", "gap") and moving:
            told.see(Observation(ended=1.0))
            moving = False
        elif step in ("disconnected", "retuned"):
            stale, moving, sensitivity = told.feed.watch.detector, False, sensitivity + 1
            if step == "disconnected":
                told.feed.disconnected(Failure.STALLED, "")
            else:
                told.feed.retune(rtsp_camera(motion=Motion(sensitivity=sensitivity)))
        elif step == "stale" and stale is not None and stale is not told.feed.watch.detector:
            told.feed.watch.observe(stale, BEGAN, told.clock.at)
        kinds = [event.type for event in told.events]
        expected = ["motion.detected", "motion.ended"] * len(kinds)
        assert kinds == expected[: len(kinds)]
    assert len(told.events) % 2 == 0
    assert all(fact.duration_seconds >= 0 for fact in told.facts(MotionEnded))


class Flat:
    """A picture of one grey level, with a square that is not."""

    def __init__(self, frame: Frame, square: int | None) -> None:
        self.frame = frame
        self.size = (320, 180)
        self._luma = np.full((180, 320), 100, np.uint8)
        if square is not None:
            self._luma[60:120, square : square + 60] = 220

    def luma(self) -> Any:
        return self._luma

    def bgr(self, width: int) -> Any:  # noqa: ARG002 - part of the protocol
        raise AssertionError("motion needs no colour")


def test_pictures_with_something_that_moves_become_one_motion_from_begin_to_end() -> None:
    told = Told()
    for index in range(100):
        told.clock.at += 0.2
        walking = 40 <= index < 60
        square = (index - 40) * 10 if walking else None
        told.feed.watch.look(Flat(told.frame(), square))
    assert len(told.facts(MotionDetected)) == len(told.facts(MotionEnded)) == 1
    assert 2.5 < told.facts(MotionEnded)[0].duration_seconds < 5


def test_pictures_that_come_faster_than_is_needed_are_not_looked_at() -> None:
    told = Told()
    detector = told.feed.watch.detector
    assert detector is not None
    told.feed.watch.look(Flat(told.frame(), None))
    assert not detector.due(told.clock.at + 0.01)
    looked = Flat(told.frame(age=-0.01), None)
    looked.luma = lambda: pytest.fail("looked at")  # type: ignore[method-assign]
    told.feed.watch.look(looked)


def test_without_motion_no_picture_is_looked_at() -> None:
    told = Told(motion=Motion(enabled=False))
    looked = Flat(told.frame(), None)
    looked.luma = lambda: pytest.fail("looked at")  # type: ignore[method-assign]
    told.feed.watch.look(looked)


def test_frames_that_the_ring_does_not_keep_are_counted() -> None:
    told = Told()
    told.frame(keyframe=False)
    assert told.feed.drops == {"ring": 1}
    assert (told.feed.frames, told.feed.bytes) == (1, 4)
    with pytest.raises(FrameGone):
        told.feed.until(1)


def test_after_a_session_the_ring_goes_on_with_a_keyframe_only() -> None:
    told = Told()
    told.frame()
    told.feed.disconnected(Failure.STALLED, "")
    told.frame(keyframe=False)
    kept = told.frame()
    assert [frame.sequence for frame in told.feed.held()] == [1, 3]
    assert told.feed.until(3) == (kept,)


def test_the_newest_frame_is_as_old_as_its_capture_time_and_never_younger_than_now() -> None:
    told = Told()
    told.frame(age=3.0)
    told.clock.at += 1
    assert told.feed.live().frame_age_seconds == 4.0
    told.frame(age=-3.0)
    assert told.feed.live().frame_age_seconds == 0.0


def test_patience_is_what_is_set_or_five_frame_intervals() -> None:
    told = Told(source=None)
    assert told.feed.patience == 10.0
    for patience in (10.0, 10.0, 10.0, 20.0):  # two frames a day apart are no pace
        told.frame()
        assert told.feed.patience == patience
        told.clock.at += 4
    for _ in range(9):
        told.clock.at += 3600
        told.frame()
    assert told.feed.patience == MOST_PATIENCE_SECONDS


def test_patience_is_what_is_set_for_the_camera() -> None:
    other = RtspSource(url="rtsp://192.0.2.1/", stall_timeout_seconds=3)
    assert feed_of(rtsp_camera(source=other)).patience == 3.0
    assert feed_of(push_camera()).patience == PUSH_PATIENCE_SECONDS


def test_silence_and_uptime_are_told_by_the_frames() -> None:
    told = Told()
    told.frame()
    assert told.feed.uptime == 0.0
    told.clock.at += 40
    told.frame()
    told.feed.connected(JPEG, SIZE)
    told.clock.at += 2
    told.frame()
    told.clock.at += 5
    assert (told.feed.uptime, told.feed.silence) == (2.0, 5.0)
    told.feed.disconnected(Failure.STALLED, "")
    assert told.feed.uptime == 0.0


def test_the_rate_is_that_of_the_last_seconds_and_falls_to_nothing() -> None:
    told = Told()
    assert told.feed.live().fps == 0.0
    for _ in range(20):
        told.clock.at += 0.1
        told.frame()
    assert told.feed.live().fps == 10.0
    told.clock.at += 1.4
    assert told.feed.live().fps == 10.0
    told.clock.at += 0.2
    assert told.feed.live().fps == 0.0


def test_a_feed_goes_on_with_the_same_assignment_only() -> None:
    feed = feed_of(rtsp_camera("a", epoch=4))
    assert feed.continues(rtsp_camera("a", epoch=4, buffer=Buffer(seconds=1)))
    assert not feed.continues(rtsp_camera("a", epoch=5))
    assert not feed.continues(push_camera("a", epoch=4))
    assert not feed.continues(rtsp_camera("a", epoch=4, camera_id="b"))


def test_masks_and_sensitivity_reach_the_detector() -> None:
    feed = feed_of(rtsp_camera(motion=Motion(sensitivity=100, cooldown_seconds=9)))
    assert isinstance(feed.watch.detector, Detector)
    assert feed.watch.detector._config == MotionConfig(sensitivity=100, cooldown_seconds=9)


def test_what_is_known_of_a_camera_is_told_whole() -> None:
    told = Told()
    told.frame()
    told.feed.connected(JPEG, SIZE)
    live = told.feed.live()
    assert (live.camera_id, live.worker, live.epoch) == ("lobby", "w", 4)
    assert (live.connected, live.reason, live.codec) == (True, "Connected", "mjpeg")
    assert (live.width, live.height, live.sessions) == (64, 48, 1)
    assert (live.last_frame, live.moving, live.ring_bytes) == (told.clock.at, False, 4 + 256)


def test_a_light_change_is_counted() -> None:
    told = Told()
    told.see(Observation(light_change=True))
    assert told.feed.watch.light_changes == 1
