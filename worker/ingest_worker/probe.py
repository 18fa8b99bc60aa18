"""Look at a camera as a worker would, and tell a person what is there or what is wrong.

The very session of the worker, for some seconds; what it measured is computed from what the ring
holds afterwards. `findings` is pure.
"""

import asyncio
import math
import time
from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct
from prometheus_client import CollectorRegistry

from ingest_core.errors import CaptureError, Failure
from ingest_core.model import (
    Assignment,
    Buffer,
    Camera,
    CameraSpec,
    CameraStatus,
    Metadata,
    Motion,
    RtspSource,
    Source,
)
from ingest_worker.capture import Captured, capture
from ingest_worker.connects import Connects, Line
from ingest_worker.feed import Feed
from ingest_worker.metrics import WorkerMetrics
from ingest_worker.render import AvDecoder
from ingest_worker.ring import Frame
from ingest_worker.rtsp import Target
from ingest_worker.stamp import StreamClock

ADVICE: Final = {
    Failure.UNREACHABLE: "Check the address and the port, that the camera is up, and that no "
    "firewall is in between. RTSP usually listens on port 554.",
    Failure.AUTHENTICATION_FAILED: "Check user and password. Many cameras lock an address out for "
    "minutes after a few wrong ones, some want a user made for RTSP or ONVIF, and one that offers "
    "nothing but Digest with SHA-256 cannot be logged in to.",
    Failure.CAMERA_BUSY: "The camera has as many sessions as it takes: close another viewer, raise "
    "its limit, or use its sub-stream.",
    Failure.NOT_FOUND: "The path is wrong: look it up in the camera's manual (/stream1, "
    "/Streaming/Channels/101, /cam/realmonitor?channel=1&subtype=0, /h264Preview_01_main, …).",
    Failure.STALLED: "The camera accepted the session and sends nothing. Over UDP a firewall often "
    "is why: try TCP. Otherwise restart the camera.",
    Failure.DECODE_FAILED: "Packets come, pictures do not: the network loses packets (use TCP), or "
    "the keyframe interval is longer than the timeout.",
    Failure.UNSUPPORTED_STREAM: "Set the camera to H.264, H.265 or MJPEG, check that the port "
    "speaks RTSP, and try the other transport.",
    Failure.CREDENTIALS_MISSING: "The Secret, or the key of it that the camera names, is not "
    "there: create it.",
    Failure.LEASE_EXPIRED: "The worker could not renew its Lease with the API server, and lets go "
    "of an Exclusive camera then: look at the network between the two.",
    Failure.CRASHED: "This is a bug of Camera Ingest: please report the traceback of its log.",
}

_OVERHEAD_SECONDS: Final = (
    0.0006  # of a frame besides decoding: reading, motion, events; see bench/
)
_SMALLEST_WEIGHT: Final = 5
_KEYFRAME_SECONDS: Final = 20.0  # that a second keyframe is waited for beyond what was asked
_LOOK_SECONDS: Final = 0.1


class Findings(Struct, frozen=True, kw_only=True):
    """What a camera sends.

    Attributes:
        fps: Frames a second; 0: too few came to tell.
        keyframe_seconds: Time from keyframe to keyframe; None: fewer than two came.
        bitrate: Bits a second.
        decode_ms: CPU time to decode a frame, milliseconds.
        first_frame_seconds: From the start of the session.
        weight: Suggested `spec.weight`: thousandths of a core.
    """

    transport: str
    codec: str
    profile: str | None
    width: int
    height: int
    fps: float
    keyframe_seconds: float | None
    bitrate: int
    decode_ms: float
    first_frame_seconds: float
    frames: int
    decode_errors: int
    weight: int


def findings(
    frames: Sequence[Frame],
    *,
    transport: str,
    size: tuple[int, int],
    profile: str | None,
    decode_seconds: float,
    first: float,
    errors: int,
) -> Findings:
    """Tell what is there from the frames that came (at least one), oldest first.

    Args:
        frames: From a keyframe on.
        transport: TCP or UDP.
        size: Width and height in pixels.
        profile: As the decoder names it.
        decode_seconds: CPU time of decoding one frame.
        first: Seconds to the first picture.
        errors: Of the decoder.
    """
    span = frames[-1].timestamp - frames[0].timestamp
    fps = (len(frames) - 1) / span if span > 0 else 0.0
    keys = [frame.timestamp for frame in frames if frame.keyframe]
    bits = 8 * sum(len(frame.data) for frame in frames[:-1])
    cost = 1000 * fps * (decode_seconds + _OVERHEAD_SECONDS)
    return Findings(
        transport=transport,
        codec=frames[0].codec.name,
        profile=profile,
        width=size[0],
        height=size[1],
        fps=round(fps, 2),
        keyframe_seconds=round((keys[-1] - keys[0]) / (len(keys) - 1), 2) if keys[1:] else None,
        bitrate=round(bits / span) if span > 0 else 0,
        decode_ms=round(1000 * decode_seconds, 2),
        first_frame_seconds=round(first, 2),
        frames=len(frames),
        decode_errors=errors,
        weight=max(_SMALLEST_WEIGHT, math.ceil(cost)),
    )


async def probe(target: Target, seconds: float) -> Findings:
    """Run one session for `seconds` after its first picture, or until the second keyframe.

    Raises:
        CaptureError: There was no picture; or the session ended before the second frame.
    """
    began = time.monotonic()
    first: asyncio.Future[float] = asyncio.get_running_loop().create_future()
    feed = _feed(target, first)
    session = asyncio.create_task(_session(target, feed), name="probe")
    try:
        either: set[asyncio.Future[Any]] = {session, first}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        until = time.monotonic() + seconds
        latest = until + _KEYFRAME_SECONDS
        while not session.done() and time.monotonic() < (until if _keyframes(feed) else latest):
            await asyncio.wait([session], timeout=_LOOK_SECONDS)
    finally:
        session.cancel()
        ended = (await asyncio.gather(session, return_exceptions=True))[0]
    frames = feed.held()
    if feed.size is None or len(frames) < 2:  # noqa: PLR2004 - a rate needs two
        raise (
            ended
            if isinstance(ended, CaptureError)
            else CaptureError(Failure.STALLED, "no keyframe came")
        )
    decode_seconds, profile = await asyncio.to_thread(_decode, frames)
    return findings(
        frames,
        transport=target.transport,
        size=feed.size,
        profile=profile,
        decode_seconds=decode_seconds,
        first=first.result() - began,
        errors=feed.decode_errors,
    )


async def _session(target: Target, feed: Feed) -> None:
    """The very session of a worker, once."""

    async def read_target() -> Target:
        return target

    camera = Captured(
        feed=feed,
        read_target=read_target,
        connects=Connects(),
        line=Line(),
        metrics=WorkerMetrics(CollectorRegistry(), tuple),
        nudged=asyncio.Event(),
    )
    await capture(camera, target, StreamClock(), failures=0)


def _keyframes(feed: Feed) -> bool:
    """Have two come?"""
    return sum(frame.keyframe for frame in feed.held()) > 1


def _decode(frames: Sequence[Frame]) -> tuple[float, str | None]:
    """CPU seconds to decode a frame, and the profile."""
    decoder = AvDecoder(frames[0].codec)
    began = time.thread_time()
    for frame in frames:
        decoder.decode(frame)
    return (time.thread_time() - began) / len(frames), decoder.profile


def _feed(target: Target, first: asyncio.Future[float]) -> Feed:
    """A feed that tells of its first picture."""
    spec = CameraSpec(
        source=Source(rtsp=RtspSource(url=target.url)),
        motion=Motion(enabled=False),
        buffer=Buffer(seconds=300, max_bytes=64 * 1024 * 1024),
    )
    status = CameraStatus(assignment=Assignment(worker="probe", epoch=1))
    camera = Camera(metadata=Metadata(name="probe"), spec=spec, status=status)
    loop = first.get_loop()

    def settle(now: float) -> None:
        if not first.done():
            first.set_result(now)

    def changed() -> None:
        if feed.state.connected and not loop.is_closed():
            loop.call_soon_threadsafe(settle, time.monotonic())

    feed = Feed(camera, worker="probe", incarnation=0, offer=lambda _: None, changed=changed)
    return feed
