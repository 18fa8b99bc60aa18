"""What publishing costs: CPU per event by way to Redis, and of the publisher at a steady rate.

Run: `.venv/bin/python bench/publish.py` (30 s). Starts a redis-server of its own, on a unix socket.
CPU is this process's alone: process_time over all threads.
"""

import asyncio
import shutil
import threading
import time
import tracemalloc
from collections.abc import Awaitable, Callable
from pathlib import Path

import redis.asyncio
from prometheus_client import CollectorRegistry
from redis.asyncio.connection import UnixDomainSocketConnection

from ingest_core import names
from ingest_core.events import CameraConnected, Event, FrameIngested, encode, event
from ingest_standalone.embedded_redis import EmbeddedRedis, find_server
from ingest_worker import delivery, publish, redis_url
from ingest_worker.delivery import Answer, Entry, Retention, Verdict, places
from ingest_worker.outbox import Outbox

CAMERAS = 200
EVENTS = 10_000
SECONDS = 5.0
SOURCE = "camera-ingest/default-0/1763801000123"
Way = Callable[[list[Event]], Awaitable[None]]


def frame(number: int) -> Event:
    fact = FrameIngested(
        camera_id=f"cam_{number % CAMERAS:03d}",
        timestamp=1763802000.123 + number,
        source="rtsp",
        keyframe=False,
        bytes=4321,
        frame=number,
    )
    return event(fact, source=SOURCE, epoch=4, sequence=number)


def connected(number: int) -> Event:
    fact = CameraConnected(
        camera_id=f"cam_{number % CAMERAS:03d}",
        timestamp=1763802000.123,
        width=1920,
        height=1080,
        codec="h264",
        downtime_seconds=1.5,
    )
    return event(fact, source=SOURCE, epoch=4, sequence=number)


async def cost(way: Way, events: list[Event], batch: int) -> float:
    """Microseconds of CPU per event, the best of five: the others shared the machine."""
    spent = []
    for _ in range(5):
        began = time.process_time()
        for first in range(0, len(events), batch):
            await way(events[first : first + batch])
        spent.append(time.process_time() - began)
    return min(spent) / len(events) * 1e6


async def ways(url: str) -> None:
    client = redis.asyncio.Redis.from_url(url, protocol=2)

    async def pipeline(events: list[Event]) -> None:
        commands = client.pipeline(transaction=False)
        for each in events:
            commands.publish(names.redis_channel(each.subject), encode(each))
        await commands.execute()

    target = redis_url.parse(url)
    connection = UnixDomainSocketConnection(path=target.path or "", protocol=2)
    await connection.connect()  # type: ignore[no-untyped-call] # redis-py types it not

    async def packed(events: list[Event]) -> None:
        commands = [("PUBLISH", names.redis_channel(e.subject), encode(e)) for e in events]
        await connection.send_packed_command(connection.pack_commands(commands))
        for _ in events:
            await connection.read_response()

    retention = Retention()
    link = publish.link(target, retention)
    await link.open()

    async def ours(events: list[Event]) -> None:
        entries = [Entry(0, each, places(each)) for each in events]
        asked = delivery.requests(entries, retention)
        verdicts: list[Verdict] = [None] * len(asked)
        await link.exchange(asked, verdicts)
        assert verdicts.count(Answer.TAKEN) == len(asked)

    frames = [frame(number) for number in range(EVENTS)]
    states = [connected(number) for number in range(EVENTS // 4)]
    print("µs of CPU per frame.ingested   batch of 7       50      512")
    for name, way in (
        ("redis-py pipeline()", pipeline),
        ("Connection.pack_commands", packed),
        ("ours", ours),
    ):
        spent = [await cost(way, frames, batch) for batch in (7, 50, 512)]
        print(f"  {name:<28}" + "".join(f"{each:9.1f}" for each in spent))
    print(f"  {'ours, a state event':<28}{await cost(ours, states, 7):9.1f}")
    await link.close()
    await connection.disconnect()
    await client.aclose()


def produce(offer: Callable[[Event], None], rate: float, end: threading.Event) -> None:
    """Threads as a worker has them, one a camera; each offers at its share of the rate."""

    def camera(number: int) -> None:
        pause = CAMERAS / rate
        end.wait(pause * number / CAMERAS)
        sequence = number
        while not end.wait(pause):
            offer(frame(sequence))
            sequence += CAMERAS

    threads = [threading.Thread(target=camera, args=(number,)) for number in range(CAMERAS)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()


async def cpu_at(rate: float, offer: Callable[[Event], None]) -> float:
    """Share of a core that the process uses while events are offered at a rate."""
    end = threading.Event()
    began = time.process_time()
    producing = asyncio.create_task(asyncio.to_thread(produce, offer, rate, end))
    await asyncio.sleep(SECONDS)
    end.set()
    await producing
    return (time.process_time() - began) / SECONDS


async def cpu_of_waking() -> float:
    began = time.process_time()
    for _ in range(200):
        await asyncio.sleep(0.025)
    return (time.process_time() - began) / 200 * 1e6


async def steady(url: str) -> None:
    pause = await cpu_of_waking()
    print(f"\nwaking the event loop and doing nothing costs {pause:.0f} µs here")
    print(f"publisher at a steady rate, {CAMERAS} threads, {SECONDS:.0f} s   CPU of one core")
    for rate in (650.0, 1000.0):
        idle = await cpu_at(rate, lambda _: None)
        registry = CollectorRegistry()
        publisher = publish.publisher(url, registry=registry)
        running = asyncio.create_task(publisher.run())
        busy = await cpu_at(rate, publisher.offer)
        await publisher.drain(5)
        running.cancel()
        await asyncio.wait([running])
        count = registry.get_sample_value(
            "camera_ingest_events_published_total", {"type": "frame.ingested"}
        )
        done = (count or 0) / SECONDS
        print(
            f"  {done:5.0f} events/s: {100 * (busy - idle):.1f} %, "
            f"{1e6 * (busy - idle) / done:.0f} µs an event "
            f"(making the events, without publishing: {100 * idle:.1f} %)"
        )


def offering(url: str) -> None:
    publisher = publish.publisher(url, registry=CollectorRegistry())
    events = [frame(number) for number in range(EVENTS)]
    for what in ("first", "while full"):
        began = time.process_time()
        for each in events[: EVENTS // 4]:
            publisher.offer(each)
        spent = (time.process_time() - began) / (EVENTS // 4) * 1e6
        print(f"offer, {what}: {spent:.2f} µs")
        for each in events:
            publisher.offer(each)


def memory() -> None:
    tracemalloc.start()
    outbox = Outbox(max_frames=8192, max_states=8192)
    for number in range(8192):
        outbox.add(frame(number))
        outbox.add(connected(number))
    print(f"a full outbox, {len(outbox)} events: {tracemalloc.get_traced_memory()[0] / 1e6:.1f} MB")
    tracemalloc.stop()


async def main() -> None:
    installed = shutil.which("redis-server")
    server = Path(installed) if installed else find_server()
    async with EmbeddedRedis(lambda: server) as url:
        await ways(url)
        await steady(url)
        print()
        offering(url)
        memory()


if __name__ == "__main__":
    asyncio.run(main())
