"""The registry as a directory of manifests: what `kubectl` and the API server are on Kubernetes.

Level-triggered: a write changes files and then looks, as the watching loop looks; what is believed
comes from the files alone. A manifest that breaks a rule changes nothing but `problems`. Epochs are
persisted, conditions are not: a worker that starts says them anew.
"""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable, Mapping
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Final, Never, Self, TypeVar

import structlog
from msgspec.structs import replace
from prometheus_client import CollectorRegistry

from ingest_core import metrics
from ingest_core.changes import Changes
from ingest_core.errors import (
    CameraExists,
    InvalidManifest,
    Problem,
    RegistryUnavailable,
    SecretMissing,
    UnknownCamera,
)
from ingest_core.events import rfc3339
from ingest_core.manifest import check_camera, parse
from ingest_core.model import Camera, CameraSpec, Condition, Metadata, Stream
from ingest_core.objects import borrowed, secrets_of
from ingest_standalone.bookkeeping import Bookkeeping, secret_file
from ingest_standalone.disk import Disk
from ingest_standalone.epochs import Epochs
from ingest_standalone.lock import DirectoryLock
from ingest_standalone.manifest_files import Content, FileProblem
from ingest_standalone.roll import Roll
from ingest_standalone.shelf import Shelf, shelve
from ingest_standalone.watch import Watch

T = TypeVar("T")

POLL_SECONDS: Final = 0.25  # a change by hand is seen after two looks: within a second

log: structlog.stdlib.BoundLogger = structlog.get_logger()


class DirectoryRegistry:
    """A `WorkerRegistry` and a `CameraRegistry`; one owner, one event loop, one disk thread.

    Args:
        path: The directory; made if there is none.
        worker: Who gets every camera.
        exposition: Where the gauge of invalid manifests is registered.
        now: Wall clock, Unix seconds.
        disk: The directory's files.
    """

    def __init__(
        self,
        path: Path,
        worker: str = "standalone",
        *,
        exposition: CollectorRegistry | None = None,
        now: Callable[[], float] = time.time,
        disk: Disk | None = None,
    ) -> None:
        self._path = path
        self._now = now
        self._invalid = metrics.MANIFESTS_INVALID.gauge(exposition or CollectorRegistry())
        self._disk = disk or Disk(path)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="registry")
        self._writing = asyncio.Lock()
        self._flock = DirectoryLock(path)
        self._watch = Watch(self._disk)
        self._epochs = Epochs(self._disk)
        self._books = Bookkeeping(self._disk)
        self._contents: dict[str, Content] = {}
        self._shelf: Shelf = shelve({})
        self._roll = Roll(worker)
        self._behind = True  # the cameras are not what the shelf says
        self._secrets_changed: set[str] = set()
        self._synced = False
        self._changes = Changes()
        self._reachable = True

    # What is

    @property
    def cameras(self) -> Mapping[str, Camera]:
        """Every camera by its object's name: a live view."""
        return self._roll.cameras

    @property
    def synced(self) -> bool:
        """Has the directory been read whole at least once?"""
        return self._synced

    def by_id(self, camera_id: str) -> Camera | None:
        """The camera with this id in URLs, events and metrics."""
        return self._roll.by_id(camera_id)

    def changes(self) -> AbstractAsyncContextManager[AsyncIterator[AbstractSet[str]]]:
        """Names that changed, came or went; first, every name."""
        return self._changes.read(self.cameras, ready=self._synced)

    # Life

    async def __aenter__(self) -> Self:
        """Lock the directory, mend what a kill left behind, read everything.

        Raises:
            RegistryInUse: Another process has the directory.
            RegistryUnavailable: It cannot be read or written.
        """
        try:
            await self._on_disk(self._prepare)
            await self._look(sure=None)
            if not self._shelf.problems:  # else what looks orphaned may be what is broken
                await self._tidy(self._contents.keys())
        except BaseException:
            await self.__aexit__()
            raise
        self._synced = True
        self._changes.tell(self.cameras.keys())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._thread.shutdown()
        self._flock.release()

    async def run(self) -> Never:
        """Watch the directory until cancelled; one that cannot be read just now changes nothing."""
        while True:
            await asyncio.sleep(POLL_SECONDS)
            try:
                await self.look()
            except RegistryUnavailable as error:
                if self._reachable:
                    log.warning("registry_unavailable", directory=str(self._path), error=str(error))
                self._reachable = False
            else:
                self._reachable = True

    async def look(self) -> None:
        """One look at the files, of which `run` makes four a second.

        Raises:
            RegistryUnavailable: The directory cannot be read now; everything stays as it was.
        """
        async with self._writing:
            await self._look(sure=frozenset())

    # What a worker needs

    async def secret(self, name: str, key: str) -> str:
        """One value of a Secret, as the last look saw it: nothing waits for the disk.

        Raises:
            SecretMissing: The Secret or its key is not there, or others can read its file.
        """
        secret = self._shelf.secrets.get(name)
        value = None if secret is None else secret.values().get(key)
        if value is None:
            exposed = self._shelf.exposed.get(name) if secret is None else None
            raise SecretMissing(name, key, exposed)
        return value

    async def report(
        self, camera: Camera, stream: Stream, conditions: tuple[Condition, ...]
    ) -> None:
        """Keep what the worker sees; a camera that is gone, or made anew, is no error."""
        if self._roll.report(camera, stream, conditions, rfc3339(self._now())):
            self._changes.tell({camera.name})

    async def release(self, camera: Camera) -> None:
        """Nothing: there is one worker, and it keeps every camera."""

    async def refresh(self) -> None:
        """Nothing: what is assigned is what is here."""

    # What a gateway needs

    async def create(self, name: str, spec: CameraSpec, secret: Mapping[str, str]) -> Camera:
        """Write a camera and, with `secret`, its own Secret, which the spec then names.

        Raises:
            CameraExists: The name or the id is taken.
            InvalidManifest: The spec breaks a rule, or names another camera's own Secret.
            ManagedElsewhere: A file of that name is there and holds something else.
            RegistryUnavailable: It could not be written; nothing was.
        """
        async with self._writing:
            metadata = parse({"name": name}, Metadata, root="metadata")
            camera = self._checked(Camera(metadata=metadata, spec=spec), frozenset())
            if name in self.cameras or self.by_id(camera.id) is not None:
                raise CameraExists(camera.id)
            await self._on_disk(self._epochs.reserve)
            token = secrets.token_hex(4)
            files = await self._on_disk(lambda: self._books.create(camera, secret, token))
            return await self._written(name, files)

    async def replace(
        self, name: str, spec: CameraSpec, secret: Mapping[str, str] | None
    ) -> Camera:
        """Write another spec and, with `secret`, another own Secret: both at once, or neither.

        Raises:
            UnknownCamera: There is none of that name.
            InvalidManifest: The spec breaks a rule, gives another id, or names another camera's own
                Secret.
            ManagedElsewhere: The camera's file holds more than this camera.
            RegistryUnavailable: It could not be written; nothing was.
        """
        async with self._writing:
            current = self._current(name)
            camera = self._checked(replace(current, spec=spec), secrets_of(current.spec))
            if camera.id != current.id:
                raise InvalidManifest(Problem("spec.cameraId", camera.id, "is immutable"))
            file, content = self._home(name)
            token = secrets.token_hex(4)
            files = await self._on_disk(
                lambda: self._books.replace(camera, file, content, secret, token)
            )
            written = await self._written(name, files)
            await self._tidy({secret_file(name)})
            return written

    async def delete(self, name: str) -> None:
        """Remove a camera and the Secret that was made with it.

        Raises:
            UnknownCamera: There is none of that name.
            ManagedElsewhere: The camera's file holds more than this camera.
            RegistryUnavailable: It could not be written.
        """
        async with self._writing:
            camera = self._current(name)
            file, content = self._home(name)
            files = await self._on_disk(lambda: self._books.delete(camera, file, content))
            await self._look(sure=files)
            await self._tidy({secret_file(name)})

    # How

    def _current(self, name: str) -> Camera:
        camera = self.cameras.get(name)
        if camera is None:
            raise UnknownCamera(name)
        return camera

    def _checked(self, camera: Camera, own: AbstractSet[str]) -> Camera:
        made = {name for name, secret in self._shelf.secrets.items() if secret.managed}
        problems = check_camera(camera) + borrowed(camera.spec, own, made)
        if problems:
            raise InvalidManifest(*problems)
        return camera

    def _home(self, name: str) -> tuple[str, Content]:
        file = self._shelf.files[name]
        return file, self._contents[file]

    async def _written(self, name: str, files: AbstractSet[str]) -> Camera:
        await self._look(sure=files)
        camera = self.cameras.get(name)
        if camera is None:
            raise RegistryUnavailable("the files changed under the call: ask again")
        return camera

    async def _tidy(self, files: AbstractSet[str]) -> None:
        """Take the Secrets of these files that nobody names any more."""
        contents = {file: found for file, found in self._contents.items() if file in files}
        try:
            changed = await self._on_disk(lambda: self._books.tidy(contents, self._roll.secrets()))
            await self._look(sure=changed)
        except RegistryUnavailable as error:  # it is tried again at the next start
            log.warning("registry_untidy", directory=str(self._path), error=str(error))

    def _prepare(self) -> None:
        self._disk.prepare()
        self._flock.take()
        self._disk.sweep()

    async def _on_disk(self, work: Callable[[], T]) -> T:
        """Run what blocks, one thing at a time, to its end even when the caller is cancelled."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except OSError as error:
            reason = f"{self._path}: {error.strerror or error}"
            raise RegistryUnavailable(reason) from error

    async def _look(self, sure: AbstractSet[str] | None) -> None:
        now = self._now()
        contents = await self._on_disk(lambda: self._watch.look(int(now * 1e9), sure))
        before, self._contents = self._contents, contents
        files = contents.keys() | before.keys()
        if any(contents.get(file) is not before.get(file) for file in files):
            old, self._shelf = self._shelf, shelve(contents)
            self._behind = True
            names = old.secrets.keys() | self._shelf.secrets.keys()
            self._secrets_changed |= {
                name for name in names if old.secrets.get(name) != self._shelf.secrets.get(name)
            }
            self._tell_problems(old.problems)
        if self._behind:
            await self._follow(now)

    async def _follow(self, now: float) -> None:
        """Make the cameras what the shelf says; a Secret's change is one of who names it."""
        wanted = self._shelf.cameras
        begins = bool(self._roll.begun(wanted)) or not self._synced
        epoch = await self._on_disk(self._epochs.take) if begins else 0
        changed = set(self._roll.follow(wanted, epoch=epoch, now=rfc3339(now)))
        if self._secrets_changed:
            changed |= {
                name
                for name, camera in self.cameras.items()
                if self._secrets_changed & secrets_of(camera.spec)
            }
        self._behind, self._secrets_changed = False, set()
        if changed:
            self._changes.tell(changed)

    def _tell_problems(self, before: Mapping[str, tuple[FileProblem, ...]]) -> None:
        after = self._shelf.problems
        self._invalid.set(len({(p.file, p.document) for found in after.values() for p in found}))
        for file, found in after.items():
            for told in found if before.get(file) != found else ():
                log.warning(
                    "manifest_invalid",
                    file=told.file,
                    document=told.document,
                    field=told.problem.field,
                    value=told.problem.value,
                    rule=told.problem.rule,
                )
        for file in before.keys() - after.keys():
            event = "manifest_mended" if file in self._contents else "manifest_gone"
            log.info(event, file=file.encode(errors="replace").decode())
