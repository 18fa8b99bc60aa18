"""Cameras that are captured and published while their Redis is killed, stopped or full."""

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum

import redis.asyncio
from msgspec.structs import replace
from prometheus_client import CollectorRegistry

from ingest_simulator.camera import SimulatedCamera
from ingest_simulator.faults import Fault, FaultKind
from ingest_simulator.simulator import Simulator
from ingest_worker.publish import publisher
from tests.fakes.captured_camera import CapturedCamera, capturing
from tests.fakes.redis_server import HOST, RedisServer

CAMERAS = 4
BOUND = 64  # waiting frames; two cameras fill it in a second
_CAMERA = SimulatedCamera(name="x", width=160, height=96, fps=25, gop=25, clip_seconds=2)


class Outage(StrEnum):
    KILLED = "killed"
    STOPPED = "stopped"
    FULL = "full"


@dataclass(frozen=True)
class Outcome:
    """What was seen.

    Attributes:
        sent, taken: Frames, of the simulator and of the feeds.
        queue: The most events that waited, of each kind.
        dropped: Events, by reason.
        resumed: Seconds from the end of the outage to the next frame.ingested that was heard.
        failures: Sessions that ended.
    """

    sent: int
    taken: int
    queue: int
    dropped: float
    resumed: float
    failures: int


async def suffer(kind: Outage, seconds: float, server: RedisServer) -> Outcome:
    """Capture and publish through an outage of that many seconds."""
    registry = CollectorRegistry()
    events = publisher(
        server.url, registry=registry, seconds=1.0, max_frames=BOUND, max_states=BOUND
    )
    async with Simulator(log_size=10) as simulator:
        cameras = []
        for number in range(CAMERAS):
            name = f"cam-{number}"
            url = await simulator.add(replace(_CAMERA, name=name))
            cameras.append(
                CapturedCamera(url, name=name, offer=events.offer, stall_seconds=30, draw=0.99)
            )
        publishing = asyncio.create_task(events.run())
        async with capturing(*cameras):
            for camera in cameras:
                await camera.connected()
            await heard(server)
            await begin(kind, server)
            queue = 0.0
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                queue = max(queue, sample(registry, "camera_ingest_event_queue_depth"))
                await asyncio.sleep(0.02)  # the outage lasts in real time: Redis is real
            resumed = await end(kind, server)
            for camera in cameras:
                simulator.fault(camera.name, Fault(FaultKind.FIN))
            for camera in cameras:
                await camera.failed()
            taken = sum(camera.feed.frames for camera in cameras)
            failures = sum(len(camera.failures) for camera in cameras)
        publishing.cancel()
        with suppress(asyncio.CancelledError):
            await publishing
        sent = sum(simulator.frames_sent(camera.name) for camera in cameras)
    dropped = sample(registry, "camera_ingest_events_dropped_total")
    return Outcome(sent, taken, int(queue), dropped, resumed, failures)


async def begin(kind: Outage, server: RedisServer) -> None:
    if kind is Outage.KILLED:
        server.kill()
    elif kind is Outage.STOPPED:
        server.pause()
    else:
        await configure(server, maxmemory="1")


async def end(kind: Outage, server: RedisServer) -> float:
    """End it; seconds until a frame's event is heard again."""
    began = time.monotonic()
    if kind is Outage.KILLED:
        await asyncio.to_thread(server.start)
    elif kind is Outage.STOPPED:
        server.resume()
    else:
        await configure(server, maxmemory="0")
    await heard(server)
    return time.monotonic() - began


async def heard(server: RedisServer) -> None:
    """Wait until a frame is told, by a state in the stream's neighbourhood or not."""
    async with redis.asyncio.Redis(host=HOST, port=server.port) as client:
        channel = client.pubsub()
        await channel.psubscribe("camera:*")
        async for message in channel.listen():
            if message["type"] == "pmessage" and b"frame.ingested" in message["data"]:
                break
        await channel.aclose()  # type: ignore[no-untyped-call]


async def configure(server: RedisServer, **settings: str) -> None:
    async with redis.asyncio.Redis(host=HOST, port=server.port) as client:
        for name, value in settings.items():
            await client.config_set(name, value)


def sample(registry: CollectorRegistry, name: str) -> float:
    """The sum of a metric over its labels."""
    return sum(
        one.value for metric in registry.collect() for one in metric.samples if one.name == name
    )
