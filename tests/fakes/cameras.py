"""Cameras of the two kinds, as an operator would have assigned them, and their feeds."""

from collections.abc import Callable
from typing import Any

from ingest_core.events import Event
from ingest_core.model import (
    Assignment,
    Camera,
    CameraSpec,
    CameraStatus,
    Metadata,
    PushSource,
    RtspSource,
    Source,
)
from ingest_worker.feed import Feed


def push_camera(
    name: str = "door",
    epoch: int = 1,
    worker: str = "w",
    source: PushSource | None = None,
    **spec: Any,
) -> Camera:
    return _camera(name, epoch, worker, Source(push=source or PushSource()), spec)


def rtsp_camera(
    name: str = "lobby",
    epoch: int = 1,
    worker: str = "w",
    source: RtspSource | None = None,
    **spec: Any,
) -> Camera:
    rtsp = source or RtspSource(url="rtsp://192.0.2.1/stream")
    return _camera(name, epoch, worker, Source(rtsp=rtsp), spec)


def _camera(name: str, epoch: int, worker: str, source: Source, spec: dict[str, Any]) -> Camera:
    return Camera(
        metadata=Metadata(name=name, uid=f"uid of {name}", generation=1),
        spec=CameraSpec(source=source, **spec),
        status=CameraStatus(assignment=Assignment(worker=worker, epoch=epoch)),
    )


def feed_of(
    camera: Camera,
    offer: Callable[[Event], None] = lambda _: None,
    changed: Callable[[], None] = lambda: None,
    **clocks: Callable[[], float],
) -> Feed:
    return Feed(camera, worker="w", incarnation=7, offer=offer, changed=changed, **clocks)
