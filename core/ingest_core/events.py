"""What the world is told: CloudEvents 1.0 envelopes around small frozen facts (design, §9).

An event's loss is detectable: `source` names the worker's incarnation, and `sequence` grows by one
within (source, epoch) over all events of a camera. Docs: docs/reference/events.md, generated.
"""

from datetime import UTC, datetime
from functools import lru_cache
from typing import ClassVar, Literal

import msgspec
from msgspec import Struct

SourceKind = Literal["rtsp", "http_push"]


class Box(Struct, frozen=True):
    """A rectangle in pixels of the source, from its top left."""

    x: int
    y: int
    width: int
    height: int


class CameraConnected(Struct, frozen=True, kw_only=True):
    """A session brought its first decoded frame; of a push camera, the first frame arrived."""

    type: ClassVar[str] = "camera.connected"
    camera_id: str
    timestamp: float
    width: int
    height: int
    codec: str
    downtime_seconds: float | None


class CameraDisconnected(Struct, frozen=True, kw_only=True):
    """A session that was connected ended; `reason` is a reason of `Connected=False`."""

    type: ClassVar[str] = "camera.disconnected"
    camera_id: str
    reason: str
    timestamp: float


class FrameIngested(Struct, frozen=True, kw_only=True):
    """A frame is in the ring; `frame` is its number there. Pub/Sub only: never in the stream."""

    type: ClassVar[str] = "frame.ingested"
    camera_id: str
    timestamp: float
    source: SourceKind
    keyframe: bool
    bytes: int
    frame: int


class MotionDetected(Struct, frozen=True, kw_only=True):
    """Motion began; `area` and `box` are the largest region's, in pixels of the source."""

    type: ClassVar[str] = "motion.detected"
    camera_id: str
    timestamp: float
    area: int
    box: Box


class MotionEnded(Struct, frozen=True, kw_only=True):
    """No motion for the cooldown; the duration does not count the cooldown."""

    type: ClassVar[str] = "motion.ended"
    camera_id: str
    timestamp: float
    duration_seconds: float


Fact = CameraConnected | CameraDisconnected | FrameIngested | MotionDetected | MotionEnded
FACTS: tuple[type[Fact], ...] = (
    CameraConnected,
    CameraDisconnected,
    FrameIngested,
    MotionDetected,
    MotionEnded,
)


class Event(Struct, frozen=True, kw_only=True):
    """The envelope. `data` is one of the facts above; `time` is its `timestamp` in RFC 3339."""

    specversion: Literal["1.0"] = "1.0"
    id: str
    source: str
    subject: str
    time: str
    type: str
    epoch: int
    sequence: int
    data: Fact


def event(fact: Fact, *, source: str, epoch: int, sequence: int) -> Event:
    """Put a fact into its envelope."""
    return Event(
        id=f"{fact.camera_id}/{epoch}/{sequence}",
        source=source,
        subject=fact.camera_id,
        time=rfc3339(fact.timestamp),
        type=fact.type,
        epoch=epoch,
        sequence=sequence,
        data=fact,
    )


def rfc3339(timestamp: float) -> str:
    """Unix seconds → `2026-11-22T09:00:00.123Z`."""
    second, microsecond = divmod(round(timestamp * 1_000_000), 1_000_000)
    return f"{_second(second)}.{microsecond // 1000:03d}Z"


@lru_cache(maxsize=64)
def _second(second: int) -> str:
    return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%S}"


encode = msgspec.json.Encoder().encode
