"""A copy of the objects of one kind, kept by list and watch (KEP-365, KEP-956).

Level-triggered for its readers: `objects` is what is, `changes` says only where to look again.
Resumes where a connection broke; after a 410 it lists anew and sweeps what is no longer there. An
object that cannot be read changes nothing but the log. Never forgets what it knows because the
server is away.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Mapping
from collections.abc import Set as AbstractSet
from contextlib import AbstractAsyncContextManager
from typing import Final, Generic, Never, Protocol, TypeVar

import msgspec
import structlog

from ingest_core import lenient
from ingest_core.changes import Changes
from ingest_core.errors import ApiExpired, ApiRefused, ApiUnavailable
from ingest_core.kube.client import Api
from ingest_core.kube.resources import Resource
from ingest_core.model import Metadata

WATCH_SECONDS: Final = 300.0  # to twice as much, so that not all come back at once
_FIRST_DELAY: Final = 0.25
_LAST_DELAY: Final = 10.0
_LONG_SECONDS: Final = 10.0  # a watch that stood so long was one, whatever it told
_SHORT_SECONDS: Final = 1.0  # a watch that ended so soon, and told nothing, was none
_GONE: Final = 410

log: structlog.stdlib.BoundLogger = structlog.get_logger()


class Object(Protocol):
    """What every object has."""

    @property
    def metadata(self) -> Metadata: ...


T = TypeVar("T", bound=Object)


class _ListMeta(msgspec.Struct, frozen=True, rename="camel"):
    resource_version: str = ""
    continue_: str = msgspec.field(default="", name="continue")


class Page(msgspec.Struct, frozen=True):
    """A page of a list, its items undecoded."""

    metadata: _ListMeta
    items: list[msgspec.Raw] = []


class _Event(msgspec.Struct, frozen=True):
    type: str
    object: msgspec.Raw


class _BareMeta(msgspec.Struct, frozen=True, rename="camel"):
    name: str = ""
    uid: str = ""
    resource_version: str = ""


class _Bare(msgspec.Struct, frozen=True):
    """Of an object that may be any, a Status included: what there is to know of it."""

    metadata: _BareMeta = _BareMeta()
    code: int = 0
    message: str = ""


def version(text: str) -> int:
    """A resourceVersion as a number that grows (KEP-5504); 0 for one that is none."""
    return int(text) if text.isascii() and text.isdigit() else 0


def newer(one: Metadata | _BareMeta, other: Metadata | _BareMeta) -> bool:
    """Was `one` written after `other`?"""
    return version(one.resource_version) > version(other.resource_version)


class Informer(Generic[T]):
    """Owner of the copy. One event loop.

    Args:
        api: The server, and the namespace.
        resource: Which kind.
        type_: What an object is read as.
        select: `fieldSelector` and `labelSelector`, if any.
        now: Monotonic seconds.
        draw: Evenly distributed in [0, 1).
    """

    def __init__(
        self,
        api: Api,
        resource: Resource,
        type_: type[T],
        select: Mapping[str, str] | None = None,
        *,
        now: Callable[[], float] = time.monotonic,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._api = api
        self._resource = resource
        self._type = type_
        self._select = dict(select or {})
        self._now = now
        self._draw = draw
        self._changes = Changes()
        self._objects: dict[str, T] = {}
        self._dropped: dict[str, str] = {}  # name → uid, until the watch tells of its end, too
        self.objects: Final[Mapping[str, T]] = self._objects
        self._reached = ""
        self.synced = False

    @property
    def reached(self) -> int:
        """Version up to which the watch has told everything."""
        return version(self._reached)

    def changes(self) -> AbstractAsyncContextManager[AsyncIterator[AbstractSet[str]]]:
        """Names to look at again; first, once it is synced, every name."""
        return self._changes.read(self._objects, ready=self.synced)

    def put(self, found: T) -> None:
        """Take over what a write of our own answered; the watch may not have told of it yet.

        Nothing where the watch has been already: it may have told of its end, too. And nothing new
        where objects are selected: by what, only the server knows.
        """
        metadata = found.metadata
        told = version(metadata.resource_version) <= self.reached
        selected = not self._select or metadata.name in self._objects
        if selected and not told and self._keep(found):
            self._tell({metadata.name})

    def drop(self, name: str, uid: str = "") -> None:
        """Forget what we deleted ourselves; the watch may not have told of it yet.

        What a finalizer holds, as the watch says, stays until the watch tells of its end.

        Args:
            name: Of the object.
            uid: Of the very one: another one of that name, made since, stays.
        """
        found = self._objects.get(name)
        if found is None or found.metadata.deletion_timestamp:
            return
        if uid in ("", found.metadata.uid):
            del self._objects[name]
            self._dropped[name] = found.metadata.uid
            self._tell({name})

    async def run(self) -> Never:
        """Keep the copy until cancelled; whatever fails is tried again."""
        at: str | None = None
        failures = 0
        while True:
            began = self._now()
            try:
                if at is None:
                    at = await self._list()
                at = await self._watch(at)
                failures = 0
                continue
            except (ApiExpired, msgspec.DecodeError, UnicodeDecodeError) as error:
                log.info("watch_expired", resource=self._resource.plural, error=str(error))
                at = None
            except (ApiUnavailable, ApiRefused) as error:
                if failures == 0:
                    log.warning(
                        "watch_interrupted", resource=self._resource.plural, error=str(error)
                    )
            failures = 1 if self._now() - began > _LAST_DELAY else failures + 1
            ceiling = min(_LAST_DELAY, _FIRST_DELAY * (1 << min(failures, 10)))
            await asyncio.sleep(ceiling * (0.5 + self._draw() / 2))

    async def _list(self) -> str:
        """Read everything, take it over, sweep the rest; gives the version to watch from.

        Of the server's cache, as client-go does it: not older than what is known, though perhaps
        not the newest, which the watch tells then. A list that must be the newest is read from
        etcd, whole before anything is selected: measured, 2.3 s instead of 7 ms for each worker
        where there are 10,000 Cameras (docs/design/registry.md). The server pages no such list.
        """
        listed: set[str] = set()
        changed: set[str] = set()
        self._dropped.clear()  # should one be in the list still, the watch will tell of its end
        try:
            not_older = {"resourceVersion": self._reached or "0"}
            body = await self._api.get(self._resource, **self._select, **not_older)
        except ApiExpired:  # the server is behind us: restored from a backup, perhaps
            body = await self._api.get(self._resource, **self._select)
        page = msgspec.json.decode(body, type=Page)
        for raw in page.items:
            listed.add(self._read(raw, changed))
        at = page.metadata.resource_version
        newest = version(at)
        for name in self._objects.keys() - listed:
            if (
                version(self._objects[name].metadata.resource_version) <= newest
            ):  # not one we made just now
                del self._objects[name]
                changed.add(name)
        if not self.synced:
            self.synced = True
            self._tell(self._objects.keys())
        elif changed:
            self._tell(changed)
        return at

    async def _watch(self, at: str) -> str:
        """Follow until the server ends the watch; gives the version reached.

        Raises:
            ApiExpired: That version is forgotten.
            ApiRefused, ApiUnavailable: It failed at once, and told nothing.
        """
        query = {**self._select, "resourceVersion": at, "allowWatchBookmarks": "true"}
        seconds = WATCH_SECONDS * (1 + self._draw())
        self._reached = at
        began = self._now()
        try:
            async with self._api.watch(self._resource, query, seconds) as lines:
                async for line in lines:
                    self._event(line)
        except ApiUnavailable:
            if self._reached == at and self._now() - began < _LONG_SECONDS:
                raise
            log.info("watch_resumed", resource=self._resource.plural)
        else:
            if self._reached == at and self._now() - began < _SHORT_SECONDS:
                raise ApiUnavailable("a watch ended at once")
        return self._reached

    def _event(self, line: bytes) -> None:
        event = msgspec.json.decode(line, type=_Event)
        bare = msgspec.json.decode(event.object, type=_Bare)
        if event.type == "ERROR":
            if bare.code == _GONE:
                raise ApiExpired(bare.code, "Expired", bare.message)
            raise ApiUnavailable(f"the watch failed: {bare.message}")
        changed: set[str] = set()
        if event.type in ("ADDED", "MODIFIED"):
            self._read(event.object, changed)
        elif event.type == "DELETED":
            name = bare.metadata.name
            if self._dropped.get(name) == bare.metadata.uid:
                del self._dropped[name]
            there = self._objects.get(name)
            if there is not None and not newer(there.metadata, bare.metadata):
                del self._objects[name]
                changed.add(name)
        self._reached = bare.metadata.resource_version
        if changed:
            self._tell(changed)

    def _tell(self, names: AbstractSet[str]) -> None:
        """To readers, who are told everything first, once it is synced."""
        if self.synced:
            self._changes.tell(names)

    def _read(self, raw: msgspec.Raw, changed: set[str]) -> str:
        """Take an object over; gives its name."""
        try:
            found = lenient.decode(raw, self._type)
        except msgspec.DecodeError:
            name = msgspec.json.decode(raw, type=_Bare).metadata.name
            log.warning("object_unreadable", resource=self._resource.plural, name=name)
            return name
        if self._keep(found):
            changed.add(found.metadata.name)
        return found.metadata.name

    def _keep(self, found: T) -> bool:
        """Is it news? What is older than what is known of the same name is none."""
        there = self._objects.get(found.metadata.name)
        if self._ended(found.metadata):
            return False
        if there is not None and not newer(found.metadata, there.metadata):
            return False
        self._objects[found.metadata.name] = found
        return True

    def _ended(self, metadata: Metadata) -> bool:
        """Did we delete it, and is it not held by a finalizer?"""
        ours = self._dropped.get(metadata.name) == metadata.uid
        return ours and not metadata.deletion_timestamp
