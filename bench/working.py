"""A worker as a process of its own, with its registry in memory: `python -m bench.working`.

Adds the cameras whose URLs come as a list on a line of its standard input, and answers each such
line with what it saw since the last one. `--redis URL` publishes its events.
"""

import argparse
import asyncio
import sys
import time
from collections import Counter, defaultdict
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct
from prometheus_client import CollectorRegistry

from ingest_core import logs
from ingest_core.events import CameraConnected, CameraDisconnected, Event, FrameIngested
from ingest_core.model import CameraSpec, RtspSource, Source
from ingest_worker import captures, feed, process
from ingest_worker.picture import Picture
from ingest_worker.publish import publisher
from ingest_worker.ring import Frame
from ingest_worker.settings import WorkerSettings
from ingest_worker.worker import Worker
from tests.fakes.memory_registry import MemoryRegistry

WORKER = "standalone"


class Seen(Struct, frozen=True):
    """What the worker saw. Times are Unix seconds.

    Attributes:
        connected: When each camera that is connected became so, by name.
        shown: When each frame since the last question became the newest, by name.
        lost: Sessions that ended since the last question.
        bytes: What each camera sent since its start, by name; `at`: until when.
    """

    connected: dict[str, float]
    shown: dict[str, list[float]]
    lost: int
    bytes: dict[str, int]
    at: float


class Watch:
    """Owner of what was seen; read and written under the interpreter's lock."""

    def __init__(self) -> None:
        self._connected: dict[str, float] = {}
        self._shown: defaultdict[str, list[float]] = defaultdict(list)
        self._bytes: Counter[str] = Counter()
        self._lost = 0

    def event(self, event: Event) -> None:
        match event.data:
            case FrameIngested(camera_id=camera, bytes=size):
                self._bytes[camera] += size
            case CameraConnected(camera_id=camera):
                self._connected[camera] = time.time()
            case CameraDisconnected(camera_id=camera):
                self._connected.pop(camera, None)
                self._lost += 1

    def shown(self, camera: str) -> None:
        self._shown[camera].append(time.time())

    def tell(self) -> Seen:
        shown, self._shown = self._shown, defaultdict(list)
        lost, self._lost = self._lost, 0
        return Seen(dict(self._connected), dict(shown), lost, dict(self._bytes), time.time())


def watched(watch: Watch) -> type[feed.Feed]:
    """A feed that says when a frame becomes the newest, at the cost of one look at the clock."""

    class WatchedFeed(feed.Feed):
        def show(self, frame: Frame, picture: Picture | None) -> None:
            super().show(frame, picture)
            watch.shown(self.camera_id)

    return WatchedFeed


async def add(registry: MemoryRegistry, urls: list[str]) -> None:
    for url in urls:
        name = urlsplit(url).path.strip("/")
        await registry.create(name, CameraSpec(source=Source(rtsp=RtspSource(url=url))), {})


async def main(redis_url: str | None) -> None:
    process.prepare()  # as the program does
    logs.configure("error", "console")
    watch = Watch()
    # The worker makes its feeds itself, and has no seam for this that a user would want.
    captures.Feed = watched(watch)  # type: ignore[attr-defined] # see above
    metrics = CollectorRegistry()
    registry = MemoryRegistry(WORKER)
    async with asyncio.TaskGroup() as tasks:
        events = publisher(redis_url, registry=metrics) if redis_url else None
        publishing = tasks.create_task(events.run()) if events else None

        def offer(event: Event) -> None:
            watch.event(event)
            if events:
                events.offer(event)

        worker = Worker(
            WORKER, registry, WorkerSettings(), offer=offer, metrics=metrics, tasks=tasks
        )
        worker.start()
        while line := await asyncio.to_thread(sys.stdin.buffer.readline):
            await add(registry, msgspec.json.decode(line, type=list[str]))
            sys.stdout.buffer.write(msgspec.json.encode(watch.tell()) + b"\n")
            sys.stdout.buffer.flush()
        await worker.stop()
        if publishing:
            publishing.cancel()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--redis")
    asyncio.run(main(parser.parse_args().redis))
