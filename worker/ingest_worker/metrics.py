"""The worker's own metrics, and its cameras' as they are when somebody scrapes."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Final, Protocol

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric as Family
from prometheus_client.registry import Collector

from ingest_core import metrics
from ingest_core.model import ConnectedReason
from ingest_worker.feed import Feed

# What one camera's series say at monotonic time `now`; None: nothing yet.
_ONE: Final[Mapping[metrics.Metric, Callable[[Feed, float], float | None]]] = {
    metrics.CAMERA_UP: lambda feed, _: (
        None if feed.state.reason == ConnectedReason.SUSPENDED else feed.state.connected
    ),
    metrics.CAMERA_FRAMES: lambda feed, _: feed.frames,
    metrics.CAMERA_BYTES: lambda feed, _: feed.bytes,
    metrics.CAMERA_FRAME_AGE: lambda feed, now: (
        None if (newest := feed.newest) is None else now - newest.captured
    ),
    metrics.CAMERA_SESSIONS: lambda feed, _: feed.sessions,
    metrics.CAMERA_RING_BYTES: lambda feed, _: feed.ring_size()[0],
    metrics.CAMERA_RING_SECONDS: lambda feed, _: feed.ring_size()[1],
    metrics.CAMERA_DECODE_ERRORS: lambda feed, _: feed.decode_errors,
    metrics.CAMERA_MOTION_EVENTS: lambda feed, _: feed.watch.motion_events,
    metrics.CAMERA_LIGHT_CHANGES: lambda feed, _: feed.watch.light_changes,
}
_BY_REASON: Final[Mapping[metrics.Metric, Callable[[Feed], Counter[str]]]] = {
    metrics.CAMERA_DISCONNECTS: lambda feed: feed.disconnects,
    metrics.CAMERA_DROPS: lambda feed: feed.drops,
}


class Connected(Protocol):
    """How long a session took, in seconds."""

    opened: float | None
    first: float | None


class WorkerMetrics(Collector):
    """Owner of the worker's metric objects. `feeds` gives the cameras that it has now."""

    def __init__(self, registry: CollectorRegistry, feeds: Callable[[], Iterable[Feed]]) -> None:
        self._feeds = feeds
        self._connect = metrics.CONNECT_SECONDS.histogram(registry)
        self._first_frame = metrics.FIRST_FRAME_SECONDS.histogram(registry)
        self.sessions = metrics.WORKER_SESSIONS.gauge(registry)
        self.loop_lag = metrics.LOOP_LAG.histogram(registry)
        self.render = metrics.RENDER_SECONDS.histogram(registry)
        registry.register(self)

    def connected(self, session: Connected) -> None:
        """A session showed its first picture."""
        if session.opened is not None and session.first is not None:
            self._connect.observe(session.opened)
            self._first_frame.observe(session.first)

    def collect(self) -> Iterable[Family]:
        """The cameras' series: read from their feeds, so they cost nothing in between."""
        feeds = list(self._feeds())
        now = time.monotonic()
        for metric, read in _ONE.items():
            family = metric.family()
            for feed in feeds:
                if (value := read(feed, now)) is not None:
                    family.add_metric([feed.camera_id], float(value))
            yield family
        for metric, count in _BY_REASON.items():
            family = metric.family()
            for feed in feeds:
                for reason, total in count(feed).copy().items():
                    family.add_metric([feed.camera_id, reason], total)
            yield family
        family = metrics.WORKER_CAMERAS.family()
        family.add_metric([], len(feeds))
        yield family
