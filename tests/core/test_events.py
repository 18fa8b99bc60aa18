"""Events on the wire: the documented JSON of each type, to the byte."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest_core import names
from ingest_core.events import (
    FACTS,
    Box,
    CameraConnected,
    CameraDisconnected,
    Event,
    Fact,
    FrameIngested,
    MotionDetected,
    MotionEnded,
    encode,
    event,
    rfc3339,
)

AT = 1_763_802_000.123
SOURCE = "camera-ingest/default-0/1763801000123"

DOCUMENTED: list[tuple[Fact, dict[str, Any]]] = [
    (
        CameraConnected(
            camera_id="lobby",
            timestamp=AT,
            width=1920,
            height=1080,
            codec="h264",
            downtime_seconds=12.5,
        ),
        {
            "camera_id": "lobby",
            "timestamp": AT,
            "width": 1920,
            "height": 1080,
            "codec": "h264",
            "downtime_seconds": 12.5,
        },
    ),
    (
        CameraDisconnected(camera_id="lobby", reason="Stalled", timestamp=AT),
        {"camera_id": "lobby", "reason": "Stalled", "timestamp": AT},
    ),
    (
        FrameIngested(
            camera_id="lobby", timestamp=AT, source="http_push", keyframe=True, bytes=9, frame=4
        ),
        {
            "camera_id": "lobby",
            "timestamp": AT,
            "source": "http_push",
            "keyframe": True,
            "bytes": 9,
            "frame": 4,
        },
    ),
    (
        MotionDetected(camera_id="lobby", timestamp=AT, area=5120, box=Box(1, 2, 64, 80)),
        {
            "camera_id": "lobby",
            "timestamp": AT,
            "area": 5120,
            "box": {"x": 1, "y": 2, "width": 64, "height": 80},
        },
    ),
    (
        MotionEnded(camera_id="lobby", timestamp=AT, duration_seconds=3.25),
        {"camera_id": "lobby", "timestamp": AT, "duration_seconds": 3.25},
    ),
]


def test_every_type_of_event_is_documented_here() -> None:
    assert [type(fact) for fact, _ in DOCUMENTED] == list(FACTS)
    assert [fact.type for fact in FACTS] == [
        "camera.connected",
        "camera.disconnected",
        "frame.ingested",
        "motion.detected",
        "motion.ended",
    ]


@pytest.mark.parametrize(("fact", "data"), DOCUMENTED)
def test_an_event_is_the_documented_envelope_around_its_fact(
    fact: Fact, data: dict[str, Any]
) -> None:
    encoded = encode(event(fact, source=SOURCE, epoch=4, sequence=181))
    assert json.loads(encoded) == {
        "specversion": "1.0",
        "id": "lobby/4/181",
        "source": SOURCE,
        "subject": "lobby",
        "time": "2025-11-22T09:00:00.123Z",
        "type": fact.type,
        "epoch": 4,
        "sequence": 181,
        "data": data,
    }


def test_the_order_of_the_envelope_is_the_documented_one() -> None:
    encoded = encode(event(DOCUMENTED[1][0], source=SOURCE, epoch=4, sequence=181))
    assert list(json.loads(encoded)) == list(Event.__struct_fields__)


def test_downtime_that_is_not_known_is_null() -> None:
    fact = CameraConnected(
        camera_id="a", timestamp=AT, width=1, height=1, codec="hevc", downtime_seconds=None
    )
    assert b'"downtime_seconds":null' in encode(fact)


def test_the_source_names_the_worker_and_the_start_of_its_process() -> None:
    assert names.event_source("default-0", 1763801000123) == SOURCE


@pytest.mark.parametrize(
    ("timestamp", "text"),
    [
        (0.0, "1970-01-01T00:00:00.000Z"),
        (AT, "2025-11-22T09:00:00.123Z"),
        (1.9999996, "1970-01-01T00:00:02.000Z"),
        (1.9994, "1970-01-01T00:00:01.999Z"),
    ],
)
def test_times_are_rfc_3339_in_milliseconds_utc(timestamp: float, text: str) -> None:
    assert rfc3339(timestamp) == text


@given(st.integers(0, 2**40), st.integers(1, 10**6), st.integers(1, 10**9))
def test_within_one_source_every_epoch_and_number_makes_another_id(
    incarnation: int, epoch: int, sequence: int
) -> None:
    fact = DOCUMENTED[1][0]
    source = names.event_source("w", incarnation)
    one = event(fact, source=source, epoch=epoch, sequence=sequence)
    other = event(fact, source=source, epoch=epoch, sequence=sequence + 1)
    later = event(fact, source=source, epoch=epoch + 1, sequence=sequence)
    assert len({one.id, other.id, later.id}) == 3


@pytest.mark.parametrize("fact", [fact for fact, _ in DOCUMENTED])
def test_a_fact_cannot_be_changed(fact: Fact) -> None:
    with pytest.raises(AttributeError):
        fact.camera_id = "another"  # type: ignore[misc]
    assert msgspec.json.decode(encode(fact), type=type(fact)) == fact
