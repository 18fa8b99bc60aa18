"""The Cameras of an API server as a registry's reading side (`registry.CameraReader`)."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager
from typing import Final, Never

from ingest_core.changes import Changes
from ingest_core.kube.client import Api
from ingest_core.kube.informer import Informer
from ingest_core.kube.resources import CAMERAS
from ingest_core.model import Camera


class KubeCameras:
    """Every Camera of the namespace, by name and by id."""

    def __init__(self, api: Api) -> None:
        self._informer = Informer(api, CAMERAS, Camera)
        self.cameras: Final[Mapping[str, Camera]] = self._informer.objects
        self._changes = Changes()
        self._ids: dict[str, set[str]] = {}  # id → names, of which there should be one
        self._named: dict[str, str] = {}  # name → id
        self._indexed = False

    @property
    def synced(self) -> bool:
        """Has everything been read whole at least once?"""
        return self._indexed

    def by_id(self, camera_id: str) -> Camera | None:
        """The camera with this id; of several, the one that the operator says has it."""
        found = (self.cameras.get(name) for name in self._ids.get(camera_id, ()))
        there = (camera for camera in found if camera is not None)
        return min(there, key=lambda camera: camera.metadata.seniority, default=None)

    @asynccontextmanager
    async def changes(self) -> AsyncIterator[AsyncIterator[AbstractSet[str]]]:
        """See `registry.CameraReader.changes`."""
        async with self._changes.read(self.cameras.keys(), ready=self._indexed) as changes:
            yield changes

    def put(self, camera: Camera) -> None:
        """Take over what a write of our own answered."""
        self._informer.put(camera)
        self._index({camera.name})

    def drop(self, name: str, uid: str = "") -> None:
        """Forget what we deleted ourselves; see `Informer.drop`."""
        self._informer.drop(name, uid)
        self._index({name})

    async def run(self) -> Never:
        """Keep the copy until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._informer.run(), name="cameras")
            tasks.create_task(self._follow(), name="camera changes")
        raise AssertionError("the informer never ends")

    async def _follow(self) -> Never:
        """Tell on, once it can be found by its id, too."""
        async with self._informer.changes() as changes:
            async for names in changes:
                self._index(names)
                self._indexed = True
                self._changes.tell(names)
        raise AssertionError("changes never end")

    def _index(self, names: AbstractSet[str]) -> None:
        for name in names:
            camera = self.cameras.get(name)
            before = self._named.pop(name, None)
            if before is not None:
                self._ids[before].discard(name)
                if not self._ids[before]:
                    del self._ids[before]
            if camera is not None:
                self._named[name] = camera.id
                self._ids.setdefault(camera.id, set()).add(name)
