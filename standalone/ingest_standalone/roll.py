"""The cameras as they are now: what the manifests say, with what the API server would add to it.

A camera's life is one uid and one epoch; its generation grows with its spec. State in memory, with
one owner: the registry. Nothing waits here.
"""

import uuid
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from types import MappingProxyType

from msgspec.structs import replace

from ingest_core.conditions import merged
from ingest_core.model import ASSIGNED, Assignment, Camera, CameraStatus, Condition, Stream
from ingest_core.objects import secrets_of


class Roll:
    """Cameras by name and by id, all assigned to one worker."""

    def __init__(self, worker: str) -> None:
        self._worker = worker
        self._cameras: dict[str, Camera] = {}
        self._ids: dict[str, str] = {}
        self._version = 0
        self.cameras: Mapping[str, Camera] = MappingProxyType(self._cameras)

    def by_id(self, camera_id: str) -> Camera | None:
        return self._cameras.get(self._ids.get(camera_id, ""))

    def secrets(self) -> AbstractSet[str]:
        """Names of the Secrets that cameras name."""
        return {name for camera in self._cameras.values() for name in secrets_of(camera.spec)}

    def begun(self, wanted: Mapping[str, Camera]) -> AbstractSet[str]:
        """Names of the wanted cameras that are not here yet; one with another id is another."""
        return {
            name
            for name, camera in wanted.items()
            if name not in self._cameras or self._cameras[name].id != camera.id
        }

    def follow(self, wanted: Mapping[str, Camera], *, epoch: int, now: str) -> AbstractSet[str]:
        """Become what the manifests say; gives the names that changed, came or went.

        Args:
            wanted: By name, with names and ids that are unique.
            epoch: For those that begin: greater than any before.
            now: RFC 3339.
        """
        begun = self.begun(wanted)
        ended = {name for name in self._cameras if name not in wanted or name in begun}
        for name in ended:
            del self._ids[self._cameras.pop(name).id]
        for name in begun:
            self._put(_begin(wanted[name], self._worker, epoch, now))
        edited = set(self._edited(wanted))
        return begun | ended | edited

    def report(
        self, camera: Camera, stream: Stream, conditions: tuple[Condition, ...], now: str
    ) -> bool:
        """Keep what the worker sees; False when nothing changed, or that camera is no more."""
        current = self._cameras.get(camera.name)
        if current is None or current.metadata.uid != camera.metadata.uid:
            return False
        generation = camera.metadata.generation
        status = replace(
            current.status,
            observed_generation=generation,
            stream=stream,
            conditions=merged(
                current.status.conditions, conditions, generation=generation, now=now
            ),
        )
        if status == current.status:
            return False
        self._put(replace(current, status=status))
        return True

    def _edited(self, wanted: Mapping[str, Camera]) -> Iterator[str]:
        for name, said in wanted.items():
            current = self._cameras[name]
            metadata = replace(
                current.metadata,
                labels=said.metadata.labels,
                annotations=said.metadata.annotations,
                generation=current.metadata.generation + (current.spec != said.spec),
            )
            edited = replace(current, metadata=metadata, spec=said.spec)
            if edited != current:
                self._put(edited)
                yield name

    def _put(self, camera: Camera) -> None:
        self._version += 1
        metadata = replace(camera.metadata, resource_version=str(self._version))
        self._cameras[camera.name] = replace(camera, metadata=metadata)
        self._ids[camera.id] = camera.name


def _begin(camera: Camera, worker: str, epoch: int, now: str) -> Camera:
    assigned = Condition(type=ASSIGNED, status="True", reason="Assigned")
    return replace(
        camera,
        metadata=replace(camera.metadata, uid=str(uuid.uuid4()), generation=1),
        status=CameraStatus(
            assignment=Assignment(worker=worker, epoch=epoch, time=now),
            conditions=merged((), (assigned,), generation=1, now=now),
        ),
    )
