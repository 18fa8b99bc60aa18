"""The Cameras that concern one worker: what is assigned to it, and what it hands over.

Two watches see them, by two fields, and neither knows what the other will tell: a camera that is
handed over leaves one and comes into the other, in either order, and one of them may be late by
seconds. So of every camera only what is newer than all that was known before counts, and one that
neither watch has is asked for by name before it is believed to be gone. Losing a camera for a
moment would cost its session; believing an old version, a second one.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from contextlib import AbstractAsyncContextManager
from types import MappingProxyType
from typing import Final, Never

import msgspec
import structlog

from ingest_core import lenient, names
from ingest_core.changes import Changes
from ingest_core.errors import ApiRefused, ApiUnavailable, RegistryUnavailable
from ingest_core.kube.client import Api
from ingest_core.kube.informer import Informer, Page, version
from ingest_core.kube.resources import CAMERAS
from ingest_core.model import Assignment, Camera, Metadata

GRACE_SECONDS: Final = 0.05  # in which the other watch usually tells of a camera that left this one
_RETRY_SECONDS: Final = 1.0
_AT_ONCE: Final = 16

log: structlog.stdlib.BoundLogger = structlog.get_logger()


class _OwnedStatus(msgspec.Struct, frozen=True):
    assignment: Assignment | None = None


class _Owned(msgspec.Struct, frozen=True):
    """Of a Camera that is newer than this worker can read: whose it is."""

    metadata: Metadata
    status: _OwnedStatus = _OwnedStatus()


class AssignedCameras:
    """A `registry.CameraReader`. One event loop; one owner calls `run`.

    Args:
        api: The server, and the namespace.
        worker: Whose cameras.
        draw: Evenly distributed in [0, 1).
    """

    def __init__(self, api: Api, worker: str, draw: Callable[[], float] = random.random) -> None:
        self._api = api
        self._worker = worker
        self._draw = draw
        self._informers = [
            Informer(api, CAMERAS, Camera, {"fieldSelector": f"{field}={worker}"})
            for field in (names.SELECT_WORKER, names.SELECT_PREVIOUS)
        ]
        self._cameras: dict[str, Camera] = {}
        self._gone: dict[str, int] = {}  # name → version at which it was not ours any more
        self._refreshed = -1  # version as of which all that is assigned here was read
        self._doubtful: dict[str, float] = {}  # name → when to ask for it
        self._doubt = asyncio.Event()
        self._now = asyncio.get_running_loop().time
        self._changes = Changes()
        self.cameras: Final[Mapping[str, Camera]] = MappingProxyType(self._cameras)
        self.synced = False

    def by_id(self, camera_id: str) -> Camera | None:
        """The camera with this id; of several, the one that the operator says has it."""
        found = (camera for camera in self._cameras.values() if camera.id == camera_id)
        return min(found, key=lambda camera: camera.metadata.seniority, default=None)

    def changes(self) -> AbstractAsyncContextManager[AsyncIterator[AbstractSet[str]]]:
        """See `registry.CameraReader.changes`."""
        return self._changes.read(self._cameras, ready=self.synced)

    def put(self, camera: Camera) -> None:
        """Take over what the server answered."""
        if self._take(camera):
            self._tell({camera.name})

    async def look(self, name: str) -> Camera | None:
        """A camera as it is now, ours or not; None: there is none.

        Raises as `Api.call`, and ApiUnavailable if it is newer than this worker can read.
        """
        listed, unreadable, at = await self._list(f"metadata.name={name}")
        if any(self._is_ours(one.status.assignment) for one in unreadable):
            raise ApiUnavailable(f"the Camera {name} cannot be read")
        there = self._cameras.get(name)
        if listed:
            changed = self._take(listed[0])
        else:
            changed = there is not None and _version(there) <= at and self._let_go(name, at)
        if changed:
            self._tell({name})
        return listed[0] if listed else None

    async def refresh(self) -> None:
        """See `registry.WorkerRegistry.refresh`.

        The watches may begin with, and tell of, what was so before: from then on that is no news.
        What cannot be read (the CRD may be newer than this worker) disturbs no other camera.
        """
        before = {name for name, one in self._cameras.items() if self._is_worker(one)}
        try:
            listed, unreadable, at = await self._list(f"{names.SELECT_WORKER}={self._worker}")
            self._refreshed = max(at, self._refreshed)
            self._tell({camera.name for camera in listed if self._take(camera)})
            still = {camera.name for camera in listed}
            still |= {one.metadata.name for one in unreadable}
            for name in before - still:
                await self.look(name)
        except ApiRefused as error:
            raise RegistryUnavailable(str(error)) from error

    async def run(self) -> Never:
        """Keep the copy until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for number, informer in enumerate(self._informers):
                tasks.create_task(informer.run(), name=f"watch {number}")
                tasks.create_task(self._follow(informer), name=f"watched {number}")
            tasks.create_task(self._clear_up(), name="doubtful cameras")
        raise AssertionError("the watches never end")

    async def _follow(self, informer: Informer[Camera]) -> Never:
        async with informer.changes() as changes:
            async for changed in changes:
                self._look(changed)
                if not self.synced and all(one.synced for one in self._informers):
                    self.synced = True
                    self._changes.tell(set(self._cameras))
        raise AssertionError("changes never end")

    def _look(self, changed: Iterable[str]) -> None:
        """Compare what the watches have with what is known."""
        news = set()
        for name in changed:
            seen = [one.objects[name] for one in self._informers if name in one.objects]
            if seen and self._take(max(seen, key=_version), told=True):
                news.add(name)
            self._judge(name)
        for name in [name for name, at in self._gone.items() if at <= self._reached]:
            del self._gone[name]
        self._tell(news)

    def _tell(self, changed: AbstractSet[str]) -> None:
        """To readers, who are told everything first, once it is synced."""
        if self.synced and changed:
            self._changes.tell(changed)

    @property
    def _reached(self) -> int:
        """Version up to which both watches have told everything."""
        return min(informer.reached for informer in self._informers)

    def _take(self, camera: Camera, *, told: bool = False) -> bool:
        """Is it news? An answer that comes when the watches are past it is none."""
        name, at = camera.name, _version(camera)
        there = self._cameras.get(name)
        if there is not None:
            known = _version(there)
        else:
            read = self._refreshed if self._is_worker(camera) else -1
            known = max(self._gone.get(name, -1), read if told else self._reached)
        if at <= known:
            return False
        if self._is_ours(camera.status.assignment):
            self._cameras[name] = camera
            self._gone.pop(name, None)
            self._judge(name)
            return True
        return self._let_go(name, at)

    def _let_go(self, name: str, at: int) -> bool:
        self._gone[name] = at
        there = self._cameras.pop(name, None) is not None
        self._judge(name)
        return there

    def _judge(self, name: str) -> None:
        """Is it one that no watch has, so that none would tell of its end?"""
        if name in self._cameras and not any(name in one.objects for one in self._informers):
            self._doubtful.setdefault(name, self._now() + GRACE_SECONDS)
            self._doubt.set()
        else:
            self._doubtful.pop(name, None)

    def _is_worker(self, camera: Camera) -> bool:
        assignment = camera.status.assignment
        return assignment is not None and assignment.worker == self._worker

    def _is_ours(self, assignment: Assignment | None) -> bool:
        """Is it assigned to this worker, or handed over by it?"""
        return assignment is not None and self._worker in (assignment.worker, assignment.previous)

    async def _clear_up(self) -> Never:
        """Ask for what no watch has, until it is gone or a watch has it."""
        while True:
            await self._doubt.wait()
            due = min(self._doubtful.values(), default=None)
            if due is None:
                self._doubt.clear()
            elif due > self._now():
                await asyncio.sleep(min(GRACE_SECONDS, due - self._now()))
            else:
                ripe = [name for name, at in self._doubtful.items() if at <= self._now()]
                await self._ask_all(ripe[:_AT_ONCE])

    async def _ask_all(self, ripe: Iterable[str]) -> None:
        """Ask for these; what stays doubtful is asked for again later."""
        for name in ripe:
            self._doubtful[name] = self._now() + _RETRY_SECONDS * (0.5 + self._draw())
        try:
            async with asyncio.TaskGroup() as asking:
                for name in ripe:
                    asking.create_task(self.look(name), name=f"ask for {name}")
        except* (ApiUnavailable, ApiRefused) as group:
            log.warning("cameras_doubtful", error=str(group.exceptions[0]))

    async def _list(self, selector: str) -> tuple[list[Camera], list[_Owned], int]:
        """Cameras as they are now, what is known of those that cannot be read, and as of when.

        Raises as `Api.call`. By a list also where it is one: that may be empty, and has a version.
        """
        page = msgspec.json.decode(await self._api.get(CAMERAS, fieldSelector=selector), type=Page)
        found: list[Camera] = []
        unreadable: list[_Owned] = []
        for raw in page.items:
            try:
                found.append(lenient.decode(raw, Camera))
            except msgspec.DecodeError:
                unreadable.append(lenient.decode(raw, _Owned))
        return found, unreadable, version(page.metadata.resource_version)


def _version(camera: Camera) -> int:
    return version(camera.metadata.resource_version)
