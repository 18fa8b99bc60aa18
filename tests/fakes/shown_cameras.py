"""Cameras that have the workers which a test gives them, as a gateway's registry sees them."""

from collections.abc import AsyncIterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import AbstractAsyncContextManager

from ingest_core.changes import Changes
from ingest_core.model import (
    Assignment,
    Camera,
    CameraSpec,
    CameraStatus,
    Condition,
    Metadata,
    PushSource,
    Source,
    Stream,
)


def camera(
    name: str,
    worker: str | None = None,
    previous: str | None = None,
    *,
    epoch: int = 1,
    stream: Stream | None = None,
    conditions: tuple[Condition, ...] = (),
) -> Camera:
    """A camera that is pushed, with a worker if one is given."""
    assignment = Assignment(worker=worker, previous=previous, epoch=epoch)
    status = CameraStatus(
        assignment=assignment if worker or previous else None,
        stream=stream,
        conditions=conditions,
    )
    spec = CameraSpec(source=Source(push=PushSource()))
    return Camera(metadata=Metadata(name=name), spec=spec, status=status)


class ShownCameras:
    """Every name is an id. Only the test writes."""

    synced = True

    def __init__(self) -> None:
        self._cameras: dict[str, Camera] = {}
        self._changes = Changes()

    @property
    def cameras(self) -> Mapping[str, Camera]:
        return self._cameras

    def by_id(self, camera_id: str) -> Camera | None:
        return self._cameras.get(camera_id)

    def changes(self) -> AbstractAsyncContextManager[AsyncIterator[AbstractSet[str]]]:
        return self._changes.read(self._cameras, ready=True)

    def show(self, shown: Camera) -> None:
        self._cameras[shown.name] = shown
        self._changes.tell({shown.name})

    async def create(self, name: str, spec: CameraSpec, secret: Mapping[str, str]) -> Camera:
        raise NotImplementedError

    async def replace(
        self, name: str, spec: CameraSpec, secret: Mapping[str, str] | None
    ) -> Camera:
        raise NotImplementedError

    async def delete(self, name: str) -> None:
        del self._cameras[name]
        self._changes.tell({name})
