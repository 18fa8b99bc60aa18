"""The worker's metrics: a set of series a camera, read when asked for, valid to Prometheus."""

import shutil
import subprocess
from typing import cast

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from ingest_core import metrics
from ingest_core.errors import Failure
from ingest_core.model import ConnectedReason
from ingest_worker.delivery import Retention
from ingest_worker.feed import Feed
from ingest_worker.metrics import WorkerMetrics
from ingest_worker.motion import Observation
from ingest_worker.publisher import Link, Publisher
from ingest_worker.ring import JPEG
from tests.fakes.cameras import feed_of, push_camera


class Exposed:
    def __init__(self) -> None:
        self.feeds: dict[str, Feed] = {}
        self.registry = CollectorRegistry()
        self.metrics = WorkerMetrics(self.registry, self.feeds.values)

    def camera(self, name: str = "door") -> Feed:
        self.feeds[name] = feed_of(push_camera(name))
        return self.feeds[name]

    def value(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(f"camera_ingest_{name}", labels)

    @property
    def text(self) -> str:
        return generate_latest(self.registry).decode()


def busy(feed: Feed) -> None:
    frame = feed.take(b"data", keyframe=True, timestamp=1.0, codec=JPEG)
    feed.show(frame, None)
    feed.connected(JPEG, (64, 48))
    feed.drops["rate"] += 2
    detector = feed.watch.detector
    assert detector is not None
    feed.watch.observe(detector, Observation(light_change=True), 1.0)


def test_a_camera_is_told_as_it_is_at_that_moment() -> None:
    exposed = Exposed()
    feed = exposed.camera()
    assert exposed.value("camera_up", camera="door") == 0
    assert exposed.value("camera_frame_age_seconds", camera="door") is None
    busy(feed)
    told = {
        "camera_up": 1,
        "camera_frames_total": 1,
        "camera_bytes_total": 4,
        "camera_sessions_total": 1,
        "camera_ring_bytes": 260,
        "camera_ring_seconds": 0,
        "camera_decode_errors_total": 0,
        "camera_motion_events_total": 0,
        "camera_light_changes_total": 1,
    }
    assert {name: exposed.value(name, camera="door") for name in told} == told
    assert exposed.value("camera_dropped_frames_total", camera="door", reason="rate") == 2
    feed.disconnected(Failure.STALLED, "")
    assert exposed.value("camera_up", camera="door") == 0
    assert exposed.value("camera_disconnects_total", camera="door", reason="Stalled") == 1
    age = exposed.value("camera_frame_age_seconds", camera="door")
    assert age is not None
    assert age > 1e9


def test_a_camera_that_is_suspended_is_neither_up_nor_down() -> None:
    exposed = Exposed()
    feed = exposed.camera("door")
    busy(feed)
    feed.disconnected(ConnectedReason.SUSPENDED, "")
    assert exposed.value("camera_up", camera="door") is None
    assert exposed.value("camera_frames_total", camera="door") == 1


def test_the_series_of_a_camera_that_is_gone_go_with_it() -> None:
    exposed = Exposed()
    busy(exposed.camera("door"))
    busy(exposed.camera("gate"))
    assert exposed.value("worker_cameras") == 2
    del exposed.feeds["door"]
    assert 'camera="door"' not in exposed.text
    assert 'camera="gate"' in exposed.text
    assert exposed.value("worker_cameras") == 1


def test_a_session_without_a_picture_is_not_measured() -> None:
    exposed = Exposed()

    class Shown:
        opened: float | None = 0.2
        first: float | None = None

    exposed.metrics.connected(Shown())
    assert exposed.value("connect_seconds_count") == 0
    Shown.first = 0.7
    exposed.metrics.connected(Shown())
    assert exposed.value("connect_seconds_sum") == 0.2
    assert exposed.value("first_frame_seconds_sum") == 0.7


BOUNDED = {
    *("camera", "pool"),  # as many as there are objects
    *("reason", "type", "state", "result"),  # enumerations of ours
    *("method", "route", "status", "verb", "resource", "code"),
}


def test_every_metric_of_the_catalogue_has_a_valid_name_and_bounded_labels() -> None:
    names = [one.name for one in metrics.CATALOGUE]
    assert len(names) == len(set(names))
    for one in metrics.CATALOGUE:
        assert one.name.startswith(metrics.PREFIX)
        assert one.name.endswith("_total") == (one.kind == "counter"), one.name
        assert bool(one.buckets) == (one.kind == "histogram"), one.name
        assert one.help.endswith("."), one.name
        assert set(one.labels) <= BOUNDED


def test_every_metric_of_a_camera_is_exposed() -> None:
    exposed = Exposed()
    busy(exposed.camera())
    exposed.feeds["door"].disconnected(Failure.STALLED, "")
    wanted = {one.name for one in metrics.CATALOGUE if one.labels[:1] == ("camera",)}
    missing = {name for name in wanted if f'{name}{{camera="door"' not in exposed.text}
    assert not missing


def test_the_exposition_passes_promtool() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("no promtool: it is in Debian's package prometheus")
    exposed = Exposed()
    busy(exposed.camera())
    exposed.feeds["door"].disconnected(Failure.STALLED, "")
    with_others = exposed.registry
    metrics.HTTP_SECONDS.histogram(with_others).labels("GET", "/metrics", "200").observe(0.1)
    metrics.MANIFESTS_INVALID.gauge(with_others).set(1)
    Publisher(cast("Link", None), registry=with_others, retention=Retention())
    found = subprocess.run(
        [promtool, "check", "metrics"],
        input=exposed.text,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (found.returncode, found.stdout, found.stderr) == (0, "", "")
