"""Write to the registry what this worker sees of its cameras: on transitions, merged, never often.

What changes within a moment is merged, what changes everywhere at once is spread out. What could
not be written is written later, each camera by itself: one that is refused, or a registry that is
away, costs nothing but time. A handover waits for its writes, so they wait for nothing.
"""

import asyncio
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Never

import structlog
from prometheus_client import Counter

from ingest_core.errors import Failure, IngestError, RegistryUnavailable, Superseded
from ingest_core.model import Camera, Condition, Stream
from ingest_core.registry import WorkerRegistry
from ingest_worker import handover
from ingest_worker.bucket import Bucket
from ingest_worker.feed import Feed, State
from ingest_worker.status import Transition, conditions, said, stream, transition

log: structlog.stdlib.BoundLogger = structlog.get_logger()

DEBOUNCE_SECONDS: Final = 0.2
RETRY_SECONDS: Final = 2.0  # doubled with each failure, up to
LAST_RETRY_SECONDS: Final = 10.0
RATE: Final = 20.0  # writes a second
BURST: Final = 20
AT_ONCE: Final = 8


class Result(StrEnum):
    """What became of a write, in metrics."""

    WRITTEN = "written"
    SUPERSEDED = "superseded"
    REFUSED = "refused"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True)
class _Due:
    """A write that waits: until when, and how often it has failed. `release` None: a report."""

    at: float
    release: Camera | None = None
    failures: int = 0
    urgent: bool = False


@dataclass(frozen=True, slots=True)
class _News:
    """What is to be told of a camera."""

    camera: Camera
    state: State
    stream: Stream
    conditions: tuple[Condition, ...]

    @property
    def transition(self) -> Transition:
        return transition((self.stream, self.conditions))


Key = tuple[str, bool]  # the camera's name, and whether it is about letting go of it


class Reporter:
    """Owner of what waits to be written and of what was: at most two entries a camera each.

    Args:
        registry: Where it is written.
        worker: This worker.
        captured: Cameras that it has, as it last saw them, with their feeds, by name.
        told: Told of a camera whose report of being connected, or no more, was written; of one
            that never was connected, once for each failure.
        results: Counts reports by result.
        draw: Evenly distributed in [0, 1).
    """

    def __init__(
        self,
        registry: WorkerRegistry,
        worker: str,
        captured: Callable[[], Mapping[str, tuple[Camera, Feed]]],
        *,
        told: Callable[[Camera, Stream, State], None] = lambda _camera, _stream, _state: None,
        results: Counter | None = None,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._registry = registry
        self._worker = worker
        self._captured = captured
        self._tell = told
        self._results = results
        self._draw = draw
        self._waiting: dict[Key, _Due] = {}
        self._writing: set[Key] = set()
        self._told: dict[str, Transition] = {}
        self._connected: set[str] = set()  # of those that were told
        self._failed: dict[str, set[Failure]] = {}  # told of those that never were
        self._bucket = Bucket(RATE, BURST)
        self._failing = False
        self._wake = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def changed(self, name: str) -> None:
        """Note, from any thread, that a camera must be reported."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._note, name)

    def release(self, camera: Camera) -> None:
        """Write soon that this worker has let go of a camera."""
        key = camera.name, True
        there = self._waiting.get(key)
        failures = there.failures if there is not None else 0
        at = there.at if there is not None else self._loop.time()
        self._waiting[key] = _Due(at, camera, failures, urgent=True)
        self._wake.set()

    def seen(self, camera: Camera) -> None:
        """Say again what somebody wrote over: an operator that took this worker for lost.

        Args:
            camera: As the registry has it now.
        """
        told = self._told.get(camera.name)
        overwritten = told is not None and said(camera) not in (told, None)
        if overwritten and (camera.name, False) not in self._writing:
            del self._told[camera.name]
            self._note(camera.name)

    async def run(self) -> Never:
        """Write until cancelled."""
        async with asyncio.TaskGroup() as writes:
            while True:
                key, due = await self._next()
                self._writing.add(key)
                del self._waiting[key]
                writes.create_task(self._write(key, due), name=f"report {key[0]}")
        raise AssertionError("writing never ends")

    def _note(self, name: str) -> None:
        if (news := self._news(name)) is None:
            return
        urgent = handover.is_handed_over(news.camera)
        debounce = 0.0 if urgent else DEBOUNCE_SECONDS * (0.5 + self._draw())
        there = self._waiting.get((name, False))
        if there is None or urgent > there.urgent:
            self._waiting[name, False] = _Due(self._loop.time() + debounce, urgent=urgent)
            self._wake.set()

    def _news(self, name: str) -> _News | None:
        """What is to be told of a camera; None: nothing new, or not by us."""
        captured = self._captured().get(name)
        if captured is None:
            self._told.pop(name, None)
            self._connected.discard(name)
            self._failed.pop(name, None)
            return None
        camera, feed = captured
        state = feed.state
        if not handover.may_report(camera, self._worker, connected=state.connected):
            return None
        news = _News(
            camera,
            state,
            stream(feed, self._worker),
            conditions(state, camera.metadata.generation),
        )
        return None if news.transition == self._told.get(name) else news

    async def _next(self) -> tuple[Key, _Due]:
        """Wait for the write whose turn it is."""
        while True:
            self._wake.clear()
            now = self._loop.time()
            ready = [
                (due.at if due.urgent else max(due.at, now + self._bucket.wait(now)), key)
                for key, due in self._waiting.items()
                if key not in self._writing
            ]
            at, key = min(ready, default=(now + 3600.0, None))
            if key is not None and at <= now and len(self._writing) < AT_ONCE:
                due = self._waiting[key]
                if not due.urgent:
                    self._bucket.take(now)
                return key, due
            busy = len(self._writing) >= AT_ONCE
            try:
                async with asyncio.timeout(None if busy or key is None else at - now):
                    await self._wake.wait()
            except TimeoutError:
                pass

    async def _write(self, key: Key, due: _Due) -> None:
        name, _ = key
        try:
            if due.release is not None:
                await self._registry.release(due.release)
                log.info("camera_released", camera=due.release.id, epoch=due.release.epoch)
            else:
                await self._report(name)
                self._note(name)  # it may be as it was before, and then nothing was new
            if self._failing:
                self._failing = False
                log.info("reports_resumed")
        except IngestError as error:
            self._again(key, due, error)
        finally:
            self._writing.discard(key)
            self._wake.set()

    def _again(self, key: Key, due: _Due, error: IngestError) -> None:
        """Try again later what failed; what is new meanwhile takes its place."""
        away = isinstance(error, RegistryUnavailable)
        self._count(Result.UNAVAILABLE if away else Result.REFUSED)
        if not away:
            log.warning("report_refused", camera=key[0], error=str(error))
        elif not self._failing:
            self._failing = True
            log.warning("reports_delayed", error=str(error))
        pause = min(LAST_RETRY_SECONDS, RETRY_SECONDS * float(1 << min(due.failures, 10)))
        at = self._loop.time() + pause * (0.5 + self._draw())
        newer = self._waiting.get(key)
        release = newer.release if newer is not None else due.release
        self._waiting[key] = _Due(at, release, due.failures + 1, due.urgent)

    async def _report(self, name: str) -> None:
        if (news := self._news(name)) is None:
            return
        try:
            await self._registry.report(news.camera, news.stream, news.conditions)
        except Superseded:
            self._count(Result.SUPERSEDED)
            self._told[name] = news.transition
            log.info("report_superseded", camera=news.camera.id, epoch=news.stream.epoch)
            return
        self._count(Result.WRITTEN)
        self._told[name] = news.transition
        if self._is_notable(name, news):
            self._tell(news.camera, news.stream, news.state)

    def _is_notable(self, name: str, news: _News) -> bool:
        """Was it connected or disconnected, or did it fail in a new way before it ever was?"""
        connected, reason = news.state.connected, news.state.reason
        if connected != (name in self._connected):
            (self._connected.add if connected else self._connected.discard)(name)
            self._failed.pop(name, None)
            return True
        if not isinstance(reason, Failure) or news.stream.sessions:
            return False
        failed = self._failed.setdefault(name, set())
        fresh = reason not in failed
        failed.add(reason)
        return fresh

    def _count(self, result: Result) -> None:
        if self._results is not None:
            self._results.labels(result.value).inc()
