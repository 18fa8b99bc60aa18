"""The API server in memory, with what an informer builds on: snapshots and watches.

It keeps these promises besides: a list is a snapshot over all its pages, a watch tells everything
after its version in order, or that the version is forgotten. And it can be made to break them off.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from ingest_core.errors import ApiExpired, ApiUnavailable
from ingest_core.kube.client import Call
from ingest_core.kube.resources import Resource
from tests.fakes.memory_api import Event, Json, MemoryApi, MemoryServer


class WatchedServer(MemoryServer):
    """Remembers what happened, until it is told to forget.

    Attributes:
        brief: A watch ends when it has told what there is to tell.
    """

    def __init__(self) -> None:
        super().__init__()
        self._forgotten = 0
        self._log: list[tuple[int, Event]] = []
        self._pages: dict[str, tuple[list[Json], int]] = {}
        self._news = asyncio.Condition()
        self._broken = 0
        self._ended = 0
        self.brief = False
        self.watches.append(lambda event: self._log.append((self.version, event)))

    async def flush(self) -> None:
        """Let the watches tell what has happened, and their readers read it."""
        async with self._news:
            self._news.notify_all()
        for _ in range(20):
            await asyncio.sleep(0)

    async def bookmark(self, resource: Resource) -> None:
        """Tell watches how far they are."""
        metadata = {"resourceVersion": str(self.version + 1)}
        await self.say(resource, "BOOKMARK", {"kind": resource.kind, "metadata": metadata})

    async def say(self, resource: Resource, type_: str, found: Json) -> None:
        """Tell the watches that there are anything at all, once."""
        self.version += 1
        self._tell((type_, resource.plural, found))
        await self.flush()
        self._log[-1] = (0, self._log[-1][1])

    def forget(self) -> None:
        """Compact: who watches from before now, or lists the rest of a list, is told 410."""
        self.version += 1
        self._forgotten = self.version
        self._pages.clear()

    async def cut(self) -> None:
        """Break every watch."""
        self._broken += 1
        await self.flush()

    async def end(self) -> None:
        """End every watch, as is done when its time is over."""
        self._ended += 1
        await self.flush()

    def _list(self, call: Call) -> Json:
        token = call.query.get("continue")
        if token is None:
            items, at = self.every(call.resource), self.version
        elif token in self._pages:
            items, at = self._pages.pop(token)
        else:
            raise ApiExpired(410, "Expired", "the list is too old to go on")
        limit = int(call.query.get("limit", "1000000"))
        metadata = {"resourceVersion": str(at)}
        if items[limit:]:
            metadata["continue"] = f"{at}-{len(items)}"
            self._pages[metadata["continue"]] = items[limit:], at
        return {"metadata": metadata, "items": items[:limit]}

    async def events(self, resource: Resource, since: int) -> AsyncIterator[Json]:
        """What a watch from a version tells.

        Raises:
            ApiUnavailable: It was cut.
        """
        if since < self._forgotten:
            yield {"type": "ERROR", "object": {"kind": "Status", "code": 410, "message": "too old"}}
            return
        place, broken, ended = 0, self._broken, self._ended
        while ended == self._ended:
            untold = self._log[place:]
            place += len(untold)  # more may happen while these are told
            for at, (type_, plural, found) in untold:
                if at > since and plural == resource.plural:
                    yield {"type": type_, "object": found}
            if self.brief:
                return
            if broken != self._broken:
                raise ApiUnavailable("the watch was cut")
            if ended == self._ended:
                async with self._news:
                    await self._news.wait()


class WatchedApi(MemoryApi):
    """A client's way to such a server; a watch passes `before` once, and `after` for each line."""

    def __init__(self, server: WatchedServer) -> None:
        super().__init__(server)
        self.server = server

    @asynccontextmanager
    async def watch(
        self, resource: Resource, query: Mapping[str, str], seconds: float
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        call = Call("watch", resource, query=query)
        self.asked.append(call)
        await self.before(call)
        yield self._lines(call, seconds)

    async def _lines(self, call: Call, seconds: float) -> AsyncIterator[bytes]:
        try:
            async with asyncio.timeout(seconds):
                since = int(call.query["resourceVersion"])
                async for event in self.server.events(call.resource, since):
                    await self.after(call)
                    yield json.dumps(event).encode()
        except TimeoutError:
            return
