"""Whom to ask: a table over what a handover can look like."""

import pytest

from ingest_core.model import ASSIGNED, Condition, Stream
from ingest_gateway import routing
from tests.fakes.shown_cameras import camera

SINCE = "2026-11-22T09:00:00Z"
OLD = Stream(worker="old", epoch=1, connected_time=SINCE)
NEW = Stream(worker="new", epoch=2, connected_time=SINCE)


@pytest.mark.parametrize(
    ("worker", "previous", "stream", "frames", "push"),
    [
        (None, None, None, (), ()),
        ("new", None, None, ("new",), ("new",)),
        ("new", None, OLD, ("new",), ("new",)),
        (None, "old", OLD, ("old",), ("old",)),
        ("new", "old", None, ("old", "new"), ("new", "old")),
        ("new", "old", OLD, ("old", "new"), ("new", "old")),
        ("new", "old", Stream(worker="new", epoch=2), ("old", "new"), ("new", "old")),
        ("new", "old", NEW, ("new", "old"), ("new", "old")),
        # an older time of the same worker
        (
            "new",
            "old",
            Stream(worker="new", epoch=1, connected_time=SINCE),
            ("old", "new"),
            ("new", "old"),
        ),
        # an Exclusive camera that the old one let go of
        (
            "new",
            "old",
            Stream(worker="old", epoch=1, released_epoch=2),
            ("new", "old"),
            ("new", "old"),
        ),
        # one that it let go of in a handover before
        (
            "new",
            "old",
            Stream(worker="old", epoch=1, released_epoch=1, connected_time=SINCE),
            ("old", "new"),
            ("new", "old"),
        ),
    ],
)
def test_frames_come_from_who_has_them_and_pushes_go_to_who_shall(
    worker: str | None,
    previous: str | None,
    stream: Stream | None,
    frames: tuple[str, ...],
    push: tuple[str, ...],
) -> None:
    shown = camera("lobby", worker, previous, epoch=2, stream=stream)
    assert (routing.for_frames(shown), routing.for_push(shown)) == (frames, push)


@pytest.mark.parametrize(
    ("condition", "why"),
    [
        (None, "no worker has the camera yet"),
        (
            Condition(type=ASSIGNED, status="True", reason="Assigned"),
            "no worker has the camera yet",
        ),
        (
            Condition(type=ASSIGNED, status="False", reason="PoolMissing", message="no pool p."),
            "no worker has the camera: PoolMissing. no pool p",
        ),
        (
            Condition(type=ASSIGNED, status="False", reason="Unschedulable"),
            "no worker has the camera: Unschedulable",
        ),
    ],
)
def test_a_camera_without_a_worker_says_why(condition: Condition | None, why: str) -> None:
    shown = camera("lobby", conditions=(condition,) if condition else ())
    error = routing.nobody(shown)
    assert (str(error), error.retry_after) == (why, 2)
