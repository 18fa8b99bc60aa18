"""From the moment at which the camera sends a frame until a subscriber of Redis has its event.

FFmpeg's parser holds a frame until the next one begins, so the whole time has one frame interval in
it that no worker can avoid with FFmpeg's demuxer; net of that, it counts from when the next frame
was sent. Both ends use the clock of this one machine.
"""

import asyncio
import shutil
import statistics
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct
from redis.asyncio import Redis
from redis.asyncio.client import PubSub

from bench.cameras import SMALL, Cameras, simulated
from bench.line import Line
from bench.workers import Working, working
from ingest_core import names
from ingest_core.events import FrameIngested
from ingest_standalone.embedded_redis import EmbeddedRedis, find_server

FEW, MANY = 1, 50
Received = defaultdict[str, dict[int, float]]
"""When the event of each frame of each camera came; Unix seconds."""
_SECONDS: Final = {FEW: 30.0, MANY: 12.0}
_SETTLE_SECONDS: Final = 2.0


class Fact(Struct):
    """What counts here of any event's data."""

    frame: int = 0


class Heard(Struct):
    """What counts here of an event."""

    subject: str
    type: str
    data: Fact


_decoder = msgspec.json.Decoder(Heard)


def measure() -> list[Line]:
    return [line for count in (FEW, MANY) for line in asyncio.run(_measure(count))]


async def _measure(count: int) -> list[Line]:
    installed = shutil.which("redis-server")
    server = Path(installed) if installed else find_server()
    async with EmbeddedRedis(lambda: server) as redis_url:
        return await _with_redis(count, redis_url)


async def _with_redis(count: int, redis_url: str) -> list[Line]:
    received: Received = defaultdict(dict)
    client = Redis.from_url(redis_url)
    with simulated() as cameras, working(redis_url=redis_url) as worker:
        urls = cameras.add(SMALL, count)
        async with client.pubsub() as subscription:
            await subscription.psubscribe(names.redis_channel("*"))
            listening = asyncio.create_task(_listen(subscription, received))
            await asyncio.to_thread(_start, worker, urls)
            begin = time.time()
            await asyncio.sleep(_SECONDS[count])
            end = time.time()
            await asyncio.sleep(1)
            listening.cancel()
            await asyncio.wait([listening])
        await client.aclose()
        whole, net = _delays(cameras, received, begin, end)
    return [_line(count, "", whole), _line(count, ", net of the held frame", net)]


def _start(worker: Working, urls: Sequence[str]) -> None:
    worker.add(urls)
    worker.await_connected()
    time.sleep(_SETTLE_SECONDS)


async def _listen(subscription: PubSub, received: Received) -> None:
    async for message in subscription.listen():
        at = time.time()
        if message["type"] == "pmessage":
            event = _decoder.decode(message["data"])
            if event.type == FrameIngested.type:
                received[event.subject][event.data.frame] = at


def _delays(
    cameras: Cameras, received: Received, begin: float, end: float
) -> tuple[list[float], list[float]]:
    """Seconds from a frame, and from its successor, to the event: of those that came in a while."""
    whole, net = [], []
    for name, came in received.items():
        sent = cameras.frames(name)
        for frame, at in came.items():
            if begin <= at <= end and frame < len(sent):
                whole.append(at - sent[frame - 1].sent)
                net.append(at - sent[frame].sent)
    return whole, net


def _line(count: int, what: str, delays: Sequence[float]) -> Line:
    hundredths = statistics.quantiles(delays, n=100)
    return Line(
        f"capture to event, {count} camera{'s' if count > 1 else ''}{what}: p50",
        1000 * hundredths[49],
        "ms",
        detail=f"p99 {1000 * hundredths[98]:.1f} ms, of {len(delays)} events",
    )
