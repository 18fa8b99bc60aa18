"""A registry in memory, for the tests of programs; it keeps the same contract as the real ones."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import AbstractAsyncContextManager

from ingest_core.changes import Changes
from ingest_core.errors import (
    CameraExists,
    InvalidManifest,
    Problem,
    RegistryUnavailable,
    SecretMissing,
    UnknownCamera,
)
from ingest_core.manifest import check_camera, parse
from ingest_core.model import Camera, CameraSpec, Condition, Metadata, Stream
from ingest_core.objects import borrowed, referring, secrets_of
from ingest_standalone.roll import Roll

NOW = "2026-11-22T09:00:00.000Z"


class MemoryRegistry:
    """Set `down` to make every write fail, `synced` to have been read whole or not."""

    def __init__(self, worker: str = "standalone") -> None:
        self.synced = True
        self.down = False
        self.secrets: dict[str, dict[str, str]] = {}
        self._wanted: dict[str, Camera] = {}
        self._roll = Roll(worker)
        self._epoch = 0
        self._changes = Changes()

    @property
    def cameras(self) -> Mapping[str, Camera]:
        return self._roll.cameras

    def by_id(self, camera_id: str) -> Camera | None:
        return self._roll.by_id(camera_id)

    def changes(self) -> AbstractAsyncContextManager[AsyncIterator[AbstractSet[str]]]:
        return self._changes.read(self.cameras, ready=self.synced)

    async def secret(self, name: str, key: str) -> str:
        try:
            return self.secrets[name][key]
        except KeyError:
            raise SecretMissing(name, key) from None

    async def report(
        self, camera: Camera, stream: Stream, conditions: tuple[Condition, ...]
    ) -> None:
        if self._roll.report(camera, stream, conditions, NOW):
            self._changes.tell({camera.name})

    async def release(self, camera: Camera) -> None:
        """Nothing: there is one worker."""

    async def refresh(self) -> None:
        """Nothing: what is assigned is what is here."""

    async def create(self, name: str, spec: CameraSpec, secret: Mapping[str, str]) -> Camera:
        metadata = parse({"name": name}, Metadata, root="metadata")
        camera = Camera(metadata=metadata, spec=spec)
        if name in self.cameras or self.by_id(camera.id) is not None:
            raise CameraExists(camera.id)
        return self._write(camera, secret, frozenset())

    async def replace(
        self, name: str, spec: CameraSpec, secret: Mapping[str, str] | None
    ) -> Camera:
        before = self._there(name)
        await asyncio.sleep(0)  # as one that has to ask does
        camera = Camera(metadata=Metadata(name=name), spec=spec)
        if camera.id != before.id:
            raise InvalidManifest(Problem("spec.cameraId", camera.id, "is immutable"))
        return self._write(camera, secret, secrets_of(before.spec))

    async def delete(self, name: str) -> None:
        self._there(name)
        self._demand_up()
        del self._wanted[name]
        self._follow()

    def _there(self, name: str) -> Camera:
        if name not in self.cameras:
            raise UnknownCamera(name)
        return self.cameras[name]

    def _write(
        self, camera: Camera, secret: Mapping[str, str] | None, own: AbstractSet[str]
    ) -> Camera:
        if problems := check_camera(camera) + borrowed(camera.spec, own, self.secrets):
            raise InvalidManifest(*problems)
        self._demand_up()
        spec = camera.spec
        if secret:
            made = f"{camera.name}-{len(self.secrets)}"
            self.secrets[made] = dict(secret)
            spec = referring(spec, made, secret)
        self._wanted[camera.name] = Camera(metadata=camera.metadata, spec=spec)
        self._follow()
        return self.cameras[camera.name]

    def _demand_up(self) -> None:
        if self.down:
            raise RegistryUnavailable("the registry is down")

    def _follow(self) -> None:
        self._epoch += 1
        self._changes.tell(self._roll.follow(self._wanted, epoch=self._epoch, now=NOW))
        named = {name for camera in self.cameras.values() for name in secrets_of(camera.spec)}
        self.secrets = {name: found for name, found in self.secrets.items() if name in named}
