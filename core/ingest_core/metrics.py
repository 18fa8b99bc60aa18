"""The catalogue of metrics: name, kind, labels and help of each, spelled once.

Labels are bounded: a camera's id, a failure's reason, a route's template. Per-camera series are
collected from the cameras that a worker has at that moment, so a removed camera's go away with it.
docs/reference/metrics.md is generated from here.
"""

from dataclasses import dataclass
from typing import Final, Literal

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

prometheus_client.disable_created_metrics()  # a series each that nobody asks for

PREFIX: Final = "camera_ingest_"

Program = Literal["operator", "worker", "gateway", "standalone"]
_CAPTURE: Final[tuple[Program, ...]] = ("worker", "standalone")
_CLUSTER: Final[tuple[Program, ...]] = ("operator", "worker", "gateway")
_OPERATOR: Final[tuple[Program, ...]] = ("operator",)
_WORKER: Final[tuple[Program, ...]] = ("worker",)

_FAST: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
_SLOW: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric; `buckets` are upper bounds of a histogram, in seconds; `programs` serve it."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    programs: tuple[Program, ...] = _CAPTURE

    def family(self) -> CounterMetricFamily | GaugeMetricFamily:
        """An empty family, for a collector that reads state when it is scraped."""
        kind = CounterMetricFamily if self.kind == "counter" else GaugeMetricFamily
        return kind(self.name, self.help, labels=self.labels)

    def counter(self, registry: CollectorRegistry) -> Counter:
        return Counter(self.name, self.help, self.labels, registry=registry)

    def gauge(self, registry: CollectorRegistry) -> Gauge:
        return Gauge(self.name, self.help, self.labels, registry=registry)

    def histogram(self, registry: CollectorRegistry) -> Histogram:
        return Histogram(self.name, self.help, self.labels, buckets=self.buckets, registry=registry)


def _camera(name: str, kind: Literal["counter", "gauge"], help_: str, *labels: str) -> Metric:
    return Metric(f"{PREFIX}camera_{name}", kind, help_, ("camera", *labels))


CAMERA_UP: Final = _camera(
    "up", "gauge", "1 while a session brings frames, else 0; none while suspended."
)
CAMERA_FRAMES: Final = _camera("frames_total", "counter", "Frames that came into the ring.")
CAMERA_BYTES: Final = _camera("bytes_total", "counter", "Encoded bytes that came into the ring.")
CAMERA_FRAME_AGE: Final = _camera(
    "frame_age_seconds", "gauge", "Now less the newest frame's capture time."
)
CAMERA_SESSIONS: Final = _camera("sessions_total", "counter", "Sessions that were connected.")
CAMERA_DISCONNECTS: Final = _camera(
    "disconnects_total", "counter", "Sessions that ended or never began, by reason.", "reason"
)
CAMERA_DROPS: Final = _camera(
    "dropped_frames_total",
    "counter",
    "Frames that were not used, by reason: ring, oversized, rate, invalid, late, repeated.",
    "reason",
)
CAMERA_RING_BYTES: Final = _camera("ring_bytes", "gauge", "Encoded bytes in the ring.")
CAMERA_RING_SECONDS: Final = _camera("ring_seconds", "gauge", "Time that the ring spans.")
CAMERA_DECODE_ERRORS: Final = _camera(
    "decode_errors_total", "counter", "Packets that the decoder refused or called corrupt."
)
CAMERA_MOTION_EVENTS: Final = _camera("motion_events_total", "counter", "Motion events begun.")
CAMERA_LIGHT_CHANGES: Final = _camera(
    "light_changes_total", "counter", "Changes of most of the picture, taken for light."
)

WORKER_CAMERAS: Final = Metric(f"{PREFIX}worker_cameras", "gauge", "Cameras of this worker.")
CONNECT_SECONDS: Final = Metric(
    f"{PREFIX}connect_seconds", "histogram", "Time to open a session.", (), _SLOW
)
FIRST_FRAME_SECONDS: Final = Metric(
    f"{PREFIX}first_frame_seconds",
    "histogram",
    "Time from the start of a session to its first decoded frame.",
    (),
    _SLOW,
)
LOOP_LAG: Final = Metric(
    f"{PREFIX}event_loop_lag_seconds", "histogram", "How late the event loop woke.", (), _FAST
)
RENDER_SECONDS: Final = Metric(
    f"{PREFIX}render_seconds", "histogram", "Time to make a JPEG, waiting included.", (), _FAST
)
WORKER_SESSIONS: Final = Metric(
    f"{PREFIX}worker_sessions", "gauge", "Threads of RTSP sessions, those that hang included."
)
WORKER_LEASE_HELD: Final = Metric(
    f"{PREFIX}worker_lease_held",
    "gauge",
    "1 while this worker's Lease holds, else 0.",
    programs=_WORKER,
)
WORKER_LEASE_AGE: Final = Metric(
    f"{PREFIX}worker_lease_age_seconds",
    "gauge",
    "Time since the last renewal that counts.",
    programs=_WORKER,
)
REPORTS: Final = Metric(
    f"{PREFIX}reports_total",
    "counter",
    "Reports on cameras to the registry, by result: written, superseded, refused, unavailable.",
    ("result",),
)
EVENTS_PUBLISHED: Final = Metric(
    f"{PREFIX}events_published_total", "counter", "Events that Redis took.", ("type",)
)
EVENTS_DROPPED: Final = Metric(
    f"{PREFIX}events_dropped_total",
    "counter",
    "Events that were not taken by every place they go to, by reason: overflow, unanswered, oom, "
    "denied, rejected, unencodable, shutdown.",
    ("reason",),
)
EVENT_QUEUE: Final = Metric(f"{PREFIX}event_queue_depth", "gauge", "Events that wait for Redis.")
PUBLISH_SECONDS: Final = Metric(
    f"{PREFIX}publish_seconds", "histogram", "Round trip of one batch to Redis.", (), _FAST
)
REDIS_UP: Final = Metric(f"{PREFIX}redis_up", "gauge", "1 while Redis takes events, else 0.")
HTTP_SECONDS: Final = Metric(
    f"{PREFIX}http_request_seconds",
    "histogram",
    "Time to answer, by route template.",
    ("method", "route", "status"),
    _FAST,
    programs=("worker", "gateway", "standalone"),
)
WORKER_REQUESTS: Final = Metric(
    f"{PREFIX}gateway_worker_requests_total",
    "counter",
    "What a gateway asked of workers, by result: answered, moved (421), unreachable, silent, busy "
    "(not asked), cut (broke after its answer had begun).",
    ("result",),
    programs=("gateway",),
)
KUBE_REQUESTS: Final = Metric(
    f"{PREFIX}kube_requests_total",
    "counter",
    "Calls of the API server, by verb, resource and status (`none`: no answer).",
    ("verb", "resource", "code"),
    programs=_CLUSTER,
)
KUBE_SECONDS: Final = Metric(
    f"{PREFIX}kube_request_seconds",
    "histogram",
    "Time of a call of the API server; of a watch, to its end.",
    ("verb",),
    _SLOW,
    programs=_CLUSTER,
)
KUBE_EVENTS_DROPPED: Final = Metric(
    f"{PREFIX}kube_events_dropped_total",
    "counter",
    "Kubernetes Events that were not told.",
    programs=("operator", "worker"),
)

OPERATOR_LEADER: Final = Metric(
    f"{PREFIX}operator_leader",
    "gauge",
    "1 while this operator holds the Lease, else 0.",
    programs=_OPERATOR,
)
RECONCILE_SECONDS: Final = Metric(
    f"{PREFIX}reconcile_seconds",
    "histogram",
    "Time of one pass: observe, plan, apply.",
    (),
    _SLOW,
    programs=_OPERATOR,
)
RECONCILE_ERRORS: Final = Metric(
    f"{PREFIX}reconcile_errors_total",
    "counter",
    "Writes that the API server refused, but for conflicts, or did not answer; they are planned "
    "anew.",
    ("resource",),
    programs=_OPERATOR,
)
PLAN_SECONDS: Final = Metric(
    f"{PREFIX}plan_seconds", "histogram", "Time to make a plan.", (), _FAST, programs=_OPERATOR
)
PLAN_WRITES: Final = Metric(
    f"{PREFIX}plan_writes", "gauge", "Writes that the last plan asked for.", programs=_OPERATOR
)
PENDING_CHANGES: Final = Metric(
    f"{PREFIX}pending_changes",
    "gauge",
    "Objects that changed since the last pass began.",
    programs=_OPERATOR,
)
CAMERA_MOVES: Final = Metric(
    f"{PREFIX}camera_moves_total",
    "counter",
    "Cameras that were given another worker, by reason: new, worker_lost, drain, budget, pool, "
    "duplicate_id, rebalance, unplaced.",
    ("reason",),
    programs=_OPERATOR,
)
CAMERAS: Final = Metric(
    f"{PREFIX}cameras",
    "gauge",
    "Cameras of a pool, by the reason of Ready, or of Assigned where that is False.",
    ("pool", "reason"),
    programs=_OPERATOR,
)
WORKERS: Final = Metric(
    f"{PREFIX}workers",
    "gauge",
    "Workers of a pool: open, leaving, released (it let go of its Lease, and is to be back), lost, "
    "gone.",
    ("pool", "state"),
    programs=_OPERATOR,
)

MANIFESTS_INVALID: Final = Metric(
    f"{PREFIX}invalid_manifests",
    "gauge",
    "Manifests in the directory that break a rule.",
    programs=("standalone",),
)

CATALOGUE: Final = tuple(one for one in tuple(globals().values()) if isinstance(one, Metric))
