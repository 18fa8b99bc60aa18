"""Take events from any thread and bring them to Redis, in order, in batches, never in the way.

Promises that `offer` costs microseconds and neither blocks nor raises, that the order of a camera's
events is kept, that each event is counted once (published, or dropped by a reason), and that
publishing goes on by itself when Redis does. An event whose answer was lost is sent again: at least
once, within the outbox's bounds; consumers tell a double by (`source`, `id`). Why, and what that
means to them: docs/design/events.md.
"""

import asyncio
import contextlib
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, MutableSequence, Sequence
from enum import Enum, StrEnum
from typing import Final, Protocol

import structlog
from prometheus_client import CollectorRegistry

from ingest_core import metrics
from ingest_core.errors import IngestError
from ingest_core.events import Event
from ingest_core.logs import Folded
from ingest_worker import delivery
from ingest_worker.delivery import Entry, Reason, Request, Retention, Verdict
from ingest_worker.outbox import Outbox

log = structlog.get_logger()

_BATCH: Final = (
    512  # events; bounds a batch's memory and the time in which the loop does nothing else
)


class _Sleep(Enum):
    """What the loop does, and so which events have to wake it."""

    AWAKE = "awake"  # none
    BETWEEN = "between"  # between two batches: all but frame.ingested
    IDLE = "idle"  # any


class Outage(StrEnum):
    """Why Redis takes nothing."""

    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    AUTHENTICATION = "authentication"
    TLS = "tls"
    NOT_READY = "not_ready"  # loading, a replica, a cluster that is down
    NO_MASTER = "no_master"  # no Sentinel knows the service
    NOT_CLUSTER = "not_cluster"
    PROTOCOL = "protocol"  # something answers, and it is not Redis


class RedisUnavailable(IngestError):
    """The connection is of no more use, or there never was one."""

    def __init__(self, outage: Outage) -> None:
        super().__init__(f"Redis: {outage}")
        self.outage = outage


class Link(Protocol):
    """A way to Redis, opened and closed again and again. Each call ends within its own timeouts.

    Every call but `close` raises `RedisUnavailable` when the link has to be closed.
    """

    async def open(self) -> None:
        """Connect, log in, and see that writes are taken."""

    async def check(self) -> None:
        """See that writes are still taken."""

    async def exchange(
        self, requests: Sequence[Request], verdicts: MutableSequence[Verdict]
    ) -> None:
        """Send all, and fill in each verdict as its answer comes: those before a failure count."""

    async def close(self) -> None: ...


class Publisher:
    """Events → Redis. One owner calls `run` once; any thread calls `offer`."""

    def __init__(
        self,
        link: Link,
        *,
        registry: CollectorRegistry,
        retention: Retention,
        max_frames: int = 8192,
        max_states: int = 8192,
        interval: float = 0.025,
        heartbeat: float = 5.0,
        max_delay: float = 1.0,
        server: str = "",
        draw: Callable[[], float] = random.random,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Nothing is opened before `run`.

        Args:
            link: The way to Redis.
            registry: Where the metrics go.
            retention: How much of the past Redis keeps.
            max_frames: Bound of waiting `frame.ingested`.
            max_states: Bound of all other waiting events.
            interval: Time from one batch of frames to the next, seconds; other events do not wait.
            heartbeat: Time after which the link is checked, idle or not, seconds.
            max_delay: Longest pause between two attempts to connect, seconds.
            server: What logs call the Redis; holds no login.
            draw: Chance, 0 to 1, for the jitter of that pause.
            now: Monotonic clock, for round trips and folded logs.
        """
        self._link = link
        self._retention = retention
        self._interval = interval
        self._heartbeat = heartbeat
        self._max_delay = max_delay
        self._server = server
        self._draw = draw
        self._now = now
        self._lock = threading.Lock()  # guards the five below
        self._outbox = Outbox(max_frames, max_states)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._sleep = _Sleep.AWAKE
        self._ended = False
        self._untold: Counter[Reason] = Counter()  # drops that no log line has told
        self._wake = asyncio.Event()
        self._flushed = asyncio.Event()
        self._in_flight = 0
        self._published = metrics.EVENTS_PUBLISHED.counter(registry)
        self._dropped = metrics.EVENTS_DROPPED.counter(registry)
        for reason in Reason:  # at 0 from the start: `increase` does not see a series being born
            self._dropped.labels(reason.value)
        self._up = metrics.REDIS_UP.gauge(registry)
        self._round_trip = metrics.PUBLISH_SECONDS.histogram(registry)
        metrics.EVENT_QUEUE.gauge(registry).set_function(self._waiting)
        self._folded = {reason: Folded(_tell(reason)) for reason in Reason}

    def offer(self, event: Event) -> None:
        """Queue an event. From any thread; never blocks, never raises."""
        with self._lock:
            if self._ended:
                pushed_out: Reason | None = Reason.SHUTDOWN
            else:
                entry = self._outbox.add(event)
                pushed_out = entry.fate(Reason.OVERFLOW) if entry else None
            if pushed_out:
                self._count(pushed_out)
            sleep = self._sleep
            if sleep is _Sleep.IDLE or (sleep is _Sleep.BETWEEN and self._outbox.urgent):
                self._sleep = _Sleep.AWAKE
                assert self._loop is not None, "nothing sleeps before `run`"
                with contextlib.suppress(RuntimeError):  # the loop was closed with `run` unended
                    self._loop.call_soon_threadsafe(self._wake.set)

    async def run(self) -> None:
        """Publish until cancelled; what waits then is counted as dropped."""
        with self._lock:
            self._loop = asyncio.get_running_loop()
        delay = 0.0
        told: Outage | None = None
        try:
            while True:
                opened = None
                try:
                    await self._link.open()
                    opened = self._now()
                    log.info("redis_connected", server=self._server)
                    self._up.set(1)
                    await self._pump()
                except RedisUnavailable as error:
                    if opened is not None or error.outage is not told:
                        told = error.outage
                        log.warning("redis_unavailable", server=self._server, reason=told.value)
                finally:
                    self._up.set(0)
                    await self._link.close()
                self._tell_drops()
                if opened is not None and self._now() - opened >= self._max_delay:
                    delay, told = 0.0, None  # it stayed up: what comes now is another outage
                delay = min(self._max_delay, max(2 * delay, self._max_delay / 16))
                await asyncio.sleep(delay * (1 + self._draw()) / 2)
        finally:
            with self._lock:
                self._ended = True
                for entry in self._outbox.clear():
                    self._count(entry.fate(Reason.SHUTDOWN))
            self._tell_drops()

    async def drain(self, seconds: float) -> bool:
        """Wait until everything is out, while `run` still runs; at most `seconds`.

        Returns:
            Whether everything is out. What is not waits on, until `run` is cancelled.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._waiting():
                    self._flushed.clear()
                    await self._flushed.wait()
        return not self._waiting()

    async def _pump(self) -> None:
        checked = self._now()
        while True:
            await self._rest(checked + self._heartbeat - self._now(), _Sleep.IDLE)
            if self._now() - checked >= self._heartbeat:
                # A demoted master goes on taking PUBLISH: only a write finds out.
                await self._link.check()
                checked = self._now()
            with self._lock:
                entries = self._outbox.take(_BATCH)
                self._in_flight = len(entries)
            if entries:
                await self._flush(entries)
                self._tell_drops()
                await self._rest(self._interval, _Sleep.BETWEEN)

    async def _rest(self, seconds: float, sleep: _Sleep) -> None:
        """Until `seconds` are over, or there is an event that ends this sleep."""
        with self._lock:
            self._wake.clear()
            waiting = len(self._outbox)
            if self._outbox.urgent or waiting >= (1 if sleep is _Sleep.IDLE else _BATCH):
                return
            self._sleep = sleep
        timer = asyncio.get_running_loop().call_later(seconds, self._wake.set)
        try:
            await self._wake.wait()
        finally:
            timer.cancel()
            with self._lock:
                self._sleep = _Sleep.AWAKE

    async def _flush(self, entries: Sequence[Entry]) -> None:
        requests = delivery.requests(entries, self._retention)
        verdicts: list[Verdict] = [None] * len(requests)
        started = self._now()
        try:
            if requests:
                await self._link.exchange(requests, verdicts)
        finally:  # an answer that came counts, whatever came after it, cancellation included
            self._round_trip.observe(self._now() - started)
            settled = delivery.settle(entries, requests, verdicts)
            with self._lock:
                for entry in self._outbox.restore(settled.back):
                    self._count(entry.fate(Reason.OVERFLOW))
                for reason, count in settled.dropped.items():
                    self._count(reason, count)
                self._in_flight = 0
            for type_, count in settled.published.items():
                self._published.labels(type_).inc(count)
            self._flushed.set()
        if settled.refused_for_now:
            raise RedisUnavailable(Outage.NOT_READY)

    def _waiting(self) -> int:
        with self._lock:
            return len(self._outbox) + self._in_flight

    def _count(self, reason: Reason, count: int = 1) -> None:
        self._untold[reason] += count
        self._dropped.labels(reason.value).inc(count)

    def _tell_drops(self) -> None:
        with self._lock:
            untold, self._untold = self._untold, Counter()
        for reason, count in untold.items():
            self._folded[reason].add(self._now(), count)


def _tell(reason: Reason) -> Callable[[int], None]:
    def write(count: int) -> None:
        log.warning("events_dropped", reason=reason.value, count=count)

    return write
