"""What a subscriber of a cluster's Redis hears: frames of every source, and motion."""

import time
from collections.abc import Iterator
from typing import Any, Final

from ingest_core.names import REDIS_STREAM
from tests.cluster.command_line import CommandLine
from tests.e2e.door import door
from tests.e2e.events import Event, connected, decoded, subscribed
from tests.e2e.site import forwarded
from tests.fakes.footage import jpeg

REDIS: Final = "deployment/cameras-camera-ingest-redis"
RECENT_SECONDS: Final = 120.0


def test_a_frame_that_came_by_rtsp_and_one_that_was_pushed_are_told_of(
    cameras: CommandLine,
) -> None:
    with (
        forwarded(cameras, "service/cameras-camera-ingest-gateway", 80) as gateway,
        connected(cameras, REDIS) as redis,
        subscribed(redis) as events,
    ):
        read, _ = _next(events, "lobby", "frame.ingested")
        assert door(f"http://{gateway}").push("door", jpeg()).status == 202
        pushed, _ = _next(events, "door", "frame.ingested")

    assert (read.data["camera_id"], read.data["source"]) == ("lobby", "rtsp")
    assert abs(time.time() - read.data["timestamp"]) < RECENT_SECONDS
    assert (pushed.data["source"], pushed.data["bytes"]) == ("http_push", len(jpeg()))


def test_motion_is_told_of_when_it_begins_and_when_it_ends_and_can_be_read_again(
    cameras: CommandLine,
) -> None:
    with connected(cameras, REDIS) as redis:
        with subscribed(redis) as events:
            began, began_text = _next(events, "yard", "motion.detected")
            ended, ended_text = _next(events, "yard", "motion.ended")
        stream: Any = redis.xrange(REDIS_STREAM)

    box = began.data["box"]
    assert 0 < began.data["area"] <= box["width"] * box["height"] < 640 * 360
    assert ended.data["duration_seconds"] > 0
    assert {began_text, ended_text} <= {values[b"event"] for _, values in stream}


def _next(events: Iterator[bytes], camera: str, kind: str) -> tuple[Event, bytes]:
    """The next event of a camera that is of this type, and its text."""
    for text in events:
        event = decoded(text)
        if (event.subject, event.type) == (camera, kind):
            return event, text
    raise AssertionError(f"nobody told of {kind} of {camera}")
