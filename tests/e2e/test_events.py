"""What a subscriber of a cluster's Redis hears: frames of every source, and motion.

He subscribes as docs/guide/kind.md has it: by `redis-cli` in Redis's own pod.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import msgspec

from ingest_core.names import REDIS_STREAM, redis_channel
from tests.cluster.binaries import KUBECTL
from tests.cluster.command_line import CommandLine
from tests.e2e.door import door
from tests.e2e.site import forwarded
from tests.fakes.footage import jpeg

REDIS_CLI: Final = ("exec", "deployment/cameras-camera-ingest-redis", "--", "redis-cli")
SECONDS: Final = 120.0  # the simulated scene begins anew after 20


class Event(msgspec.Struct, frozen=True):
    type: str
    subject: str
    data: dict[str, Any]


def test_a_frame_that_came_by_rtsp_and_one_that_was_pushed_are_told_of(
    cameras: CommandLine,
) -> None:
    with (
        forwarded(cameras, "service/cameras-camera-ingest-gateway", 80) as gateway,
        subscribed(cameras) as lines,
    ):
        read, _ = _next(lines, "lobby", "frame.ingested")
        assert door(f"http://{gateway}").push("door", jpeg()).status == 202
        pushed, _ = _next(lines, "door", "frame.ingested")

    assert (read.data["camera_id"], read.data["source"]) == ("lobby", "rtsp")
    assert abs(time.time() - read.data["timestamp"]) < SECONDS
    assert (pushed.data["source"], pushed.data["bytes"]) == ("http_push", len(jpeg()))


def test_motion_is_told_of_when_it_begins_and_when_it_ends_and_can_be_read_again(
    cameras: CommandLine,
) -> None:
    with subscribed(cameras) as lines:
        began, began_line = _next(lines, "yard", "motion.detected")
        ended, ended_line = _next(lines, "yard", "motion.ended")

    box = began.data["box"]
    assert 0 < began.data["area"] <= box["width"] * box["height"] < 640 * 360
    assert ended.data["duration_seconds"] > 0
    kept = cameras.kubectl(*REDIS_CLI, "xrange", REDIS_STREAM, "-", "+").splitlines()
    assert {began_line, ended_line} <= {*kept}


@contextmanager
def subscribed(by: CommandLine) -> Iterator[Iterator[str]]:
    """Every event of every camera from now on, each a line; they end when nobody waits for more."""
    place = f"--namespace={by.namespace}"
    channels = ("psubscribe", redis_channel("*"))
    with by.begin(str(KUBECTL), place, *REDIS_CLI, *channels) as subscriber:
        impatience = threading.Timer(SECONDS, subscriber.kill)
        impatience.start()
        try:
            assert subscriber.stdout is not None
            for line in subscriber.stdout:
                if line.startswith("psubscribe"):
                    break
            yield (line.strip() for line in subscriber.stdout if line.startswith("{"))
        finally:
            impatience.cancel()
            subscriber.kill()


def _next(lines: Iterator[str], camera: str, kind: str) -> tuple[Event, str]:
    """The next event of a camera that is of this type, and its line."""
    for line in lines:
        event = msgspec.json.decode(line, type=Event)
        if (event.subject, event.type) == (camera, kind):
            return event, line
    raise AssertionError(f"nobody told of {kind} of {camera}")
