"""The Cameras of an API server as a registry's reading side (`registry.CameraReader`).

One or more informers, since a worker sees what it has and what it hands over by two selectors.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager
from typing import Final, Never

from ingest_core.changes import Changes
from ingest_core.kube.client import Api
from ingest_core.kube.informer import Informer, newer
from ingest_core.kube.resources import CAMERAS
from ingest_core.model import Camera


class _Union(Mapping[str, Camera]):
    """A live view of several copies; of two versions of a camera, the newer one."""

    def __init__(self, parts: Sequence[Mapping[str, Camera]]) -> None:
        self._parts = parts

    def __getitem__(self, name: str) -> Camera:
        best: Camera | None = None
        for part in self._parts:
            one = part.get(name)
            if one is not None and (best is None or newer(one.metadata, best.metadata)):
                best = one
        if best is None:
            raise KeyError(name)
        return best

    def __iter__(self) -> Iterator[str]:
        return iter(set().union(*self._parts))

    def __len__(self) -> int:
        return len(set().union(*self._parts))


class KubeCameras:
    """Cameras in reach of some field selectors; none: every Camera of the namespace."""

    def __init__(self, api: Api, selectors: Sequence[str] = ()) -> None:
        queries = [{"fieldSelector": one} for one in selectors] or [{}]
        self._informers = [Informer(api, CAMERAS, Camera, query) for query in queries]
        parts = [informer.objects for informer in self._informers]
        self.cameras: Final[Mapping[str, Camera]] = parts[0] if len(parts) == 1 else _Union(parts)
        self._changes = Changes()
        self._ids: dict[str, set[str]] = {}  # id → names, of which there should be one
        self._named: dict[str, str] = {}  # name → id
        self._indexed = False

    @property
    def synced(self) -> bool:
        """Has everything been read whole at least once?"""
        return self._indexed

    @property
    def heard(self) -> float:
        """Monotonic time since which nothing was heard of one of the selectors."""
        return min(informer.heard for informer in self._informers)

    def by_id(self, camera_id: str) -> Camera | None:
        """The camera with this id; of several with one id, the first by name."""
        names = self._ids.get(camera_id)
        return self.cameras.get(min(names)) if names else None

    @asynccontextmanager
    async def changes(self) -> AsyncIterator[AsyncIterator[AbstractSet[str]]]:
        """See `registry.CameraReader.changes`."""
        async with self._changes.read(self.cameras.keys(), ready=self._indexed) as changes:
            yield changes

    def put(self, camera: Camera) -> None:
        """Take over what a write of our own answered."""
        for informer in self._informers:
            informer.put(camera)
        self._index({camera.name})

    def drop(self, name: str, uid: str = "") -> None:
        """Forget what we deleted ourselves; see `Informer.drop`."""
        for informer in self._informers:
            informer.drop(name, uid)
        self._index({name})

    async def run(self) -> Never:
        """Keep the copies until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for number, informer in enumerate(self._informers):
                tasks.create_task(informer.run(), name=f"cameras {number}")
                tasks.create_task(self._follow(informer), name=f"camera changes {number}")
        raise AssertionError("the informers never end")

    async def _follow(self, informer: Informer[Camera]) -> Never:
        async with informer.changes() as changes:
            async for names in changes:
                self._index(names)
                if self._indexed:
                    self._changes.tell(names)
                elif all(one.synced for one in self._informers):
                    self._indexed = True
                    self._changes.tell(set(self.cameras))
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
