"""Make the JPEGs that somebody asks for: off the event loop, once per frame and variant.

A bounded pool; when too many wait, the next is refused rather than kept waiting. The last few
variants of a camera are kept, so a thousand viewers of one camera cost one encoding.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Final
from weakref import WeakKeyDictionary

from prometheus_client import Histogram

from ingest_core.errors import FrameUnavailable
from ingest_worker import render
from ingest_worker.feed import Feed, Newest
from ingest_worker.picture import Picture
from ingest_worker.ring import Frame

MAX_WAITING: Final = 64
MAX_OLDER_WAITING: Final = 8
_KEPT: Final = 4  # variants of a camera
DEFAULT_QUALITY: Final = 80


@dataclass(frozen=True, slots=True)
class Variant:
    """How a frame is wanted.

    Attributes:
        width: Pixels; None: as it is. Never made larger than it is.
        quality: 1 to 100, of libjpeg; None: as it was sent, or 80.
    """

    width: int | None = None
    quality: int | None = None


_Job = asyncio.Future[bytes]
_Key = tuple[int, Variant]


class _Lane:
    """Jobs of one kind: so many wait for these threads, and no more."""

    def __init__(self, executor: Executor, most: int, seconds: Histogram) -> None:
        self._executor = executor
        self._most = most
        self._seconds = seconds
        self._waiting = 0

    def start(self, make: Callable[[], bytes]) -> _Job:
        """Make it in a thread.

        Raises:
            FrameUnavailable: Too many wait already.
        """
        if self._waiting >= self._most:
            raise FrameUnavailable("too many pictures are being made", retry_after=1)
        self._waiting += 1
        began = time.perf_counter()
        job = asyncio.get_running_loop().run_in_executor(self._executor, make)

        def done(_: _Job) -> None:
            self._waiting -= 1
            self._seconds.observe(time.perf_counter() - began)

        job.add_done_callback(done)
        return job


class Renderer:
    """Owner of the jobs that run and of the JPEGs that are kept. On the event loop.

    Args:
        newest: Threads for newest frames, one JPEG each.
        older: Threads for older ones, which cost decoding a group: they never delay the newest.
        seconds: Observes each job, waiting included.
    """

    def __init__(self, newest: Executor, older: Executor, seconds: Histogram) -> None:
        self._newest = _Lane(newest, MAX_WAITING, seconds)
        self._older = _Lane(older, MAX_OLDER_WAITING, seconds)
        self._kept: WeakKeyDictionary[Feed, OrderedDict[_Key, _Job]] = WeakKeyDictionary()

    async def newest(self, feed: Feed, newest: Newest, variant: Variant) -> bytes:
        """The newest frame as JPEG.

        Raises:
            FrameUnavailable: Too many wait already.
            FrameUndecodable: It does not become a picture.
        """
        picture, frame = newest.picture, newest.frame
        if _as_sent(frame, variant, feed.size):
            return frame.data
        if picture is None:
            return await self._once(
                self._newest, feed, frame, variant, lambda: _from_jpeg(frame, variant)
            )
        return await self._once(
            self._newest, feed, frame, variant, lambda: _from_picture(picture, variant)
        )

    async def older(self, feed: Feed, group: tuple[Frame, ...], variant: Variant) -> bytes:
        """The last frame of a group as JPEG, decoded from its keyframe; raises as `newest`."""
        frame = group[-1]
        if _as_sent(frame, variant, feed.size):
            return frame.data
        return await self._once(
            self._older,
            feed,
            frame,
            variant,
            lambda: _from_picture(render.decode_last(group), variant),
        )

    async def _once(
        self, lane: _Lane, feed: Feed, frame: Frame, variant: Variant, make: Callable[[], bytes]
    ) -> bytes:
        kept = self._kept.get(feed)
        if kept is None:
            kept = self._kept[feed] = OrderedDict()
        key = (frame.sequence, variant)
        job = kept.get(key)
        if job is not None and job.done():
            return job.result()
        if job is None:
            job = lane.start(make)
            kept[key] = job
            job.add_done_callback(lambda done: _forget_failed(kept, key, done))
            while len(kept) > _KEPT:
                kept.popitem(last=False)
        return await asyncio.shield(job)


def _as_sent(frame: Frame, variant: Variant, size: tuple[int, int] | None) -> bool:
    wide = variant.width is None or (size is not None and variant.width >= size[0])
    return frame.codec.name == "mjpeg" and wide and variant.quality is None


def _from_picture(picture: Picture, variant: Variant) -> bytes:
    width = min(variant.width or picture.size[0], picture.size[0])
    return render.jpeg(picture, width, variant.quality or DEFAULT_QUALITY)


def _from_jpeg(frame: Frame, variant: Variant) -> bytes:
    return render.scaled_jpeg(frame.data, variant.width, variant.quality or DEFAULT_QUALITY)


def _forget_failed(kept: OrderedDict[_Key, _Job], key: _Key, job: _Job) -> None:
    if (job.cancelled() or job.exception() is not None) and kept.get(key) is job:
        del kept[key]
