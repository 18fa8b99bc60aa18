"""The API server in memory with watches by field selector, each of which a test can hold up.

An object that comes to match is ADDED, one that ceases to is DELETED with what it was before and
the version of now: as the real one does, on connections that know nothing of each other.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping

from ingest_core.kube.client import Call
from ingest_core.kube.resources import CAMERAS
from tests.fakes.memory_api import Event, Json, _pairs
from tests.fakes.watched_api import WatchedApi, WatchedServer


class SelectedServer(WatchedServer):
    """Cameras, each of whose assignments a test writes whole."""

    def assign(
        self, name: str, worker: str | None, epoch: int, previous: str | None = None
    ) -> Json:
        assignment = {"epoch": epoch, "worker": worker, "previous": previous}
        kept = {key: value for key, value in assignment.items() if value is not None}
        status = (self.find(CAMERAS, name) or {}).get("status", {})
        return self.put(CAMERAS, name, status={**status, "assignment": kept})

    def _list(self, call: Call) -> Json:
        plain = Call(call.verb, call.resource, query={"limit": "1000000"})
        listed = super()._list(plain)
        items = [one for one in listed["items"] if selects(call.query, one)]
        return {**listed, "items": items}

    def seen(self, query: Mapping[str, str], event: Event, at: int) -> Event | None:
        """An event as a watch that selects tells of it."""
        type_, plural, found = event
        if type_ not in ("ADDED", "MODIFIED", "DELETED"):
            return event
        before = self._before(found["metadata"]["name"], at)
        was = before is not None and selects(query, before)
        is_ = type_ != "DELETED" and selects(query, found)
        if is_:
            return ("MODIFIED" if was else "ADDED"), plural, found
        if not was:
            return None
        assert before is not None
        metadata = {**before["metadata"], "resourceVersion": str(at)}
        return "DELETED", plural, {**before, "metadata": metadata}

    def _before(self, name: str, at: int) -> Json | None:
        """An object as it was before a version."""
        found: Json | None = None
        for version, (type_, _, one) in self._log:
            if 0 < version < at and one["metadata"].get("name") == name:
                found = None if type_ == "DELETED" else one
        return found


class SelectedApi(WatchedApi):
    """A client's way to it.

    Attributes:
        held: Fields whose watches tell nothing until they are let go of.
    """

    def __init__(self, server: SelectedServer) -> None:
        super().__init__(server)
        self.selected = server
        self.held: set[str] = set()
        self._let_go = asyncio.Event()

    def hold(self, field: str) -> None:
        self.held.add(field)

    def let_go(self) -> None:
        self.held.clear()
        self._let_go.set()
        self._let_go = asyncio.Event()

    async def _lines(self, call: Call, seconds: float) -> AsyncIterator[bytes]:
        async for line in super()._lines(call, seconds):
            event = json.loads(line)
            metadata = event["object"].get("metadata", {})
            happened: Event = (event["type"], call.resource.plural, event["object"])
            told: Event | None = happened
            if "name" in metadata:
                told = self.selected.seen(call.query, happened, int(metadata["resourceVersion"]))
            field = call.query.get("fieldSelector", "").partition("=")[0]
            while field in self.held:
                await self._let_go.wait()
            if told is not None:
                yield json.dumps({"type": told[0], "object": told[2]}).encode()


def selects(query: Mapping[str, str], found: Json) -> bool:
    """Does an object match the field selector of a query?"""
    return all(
        _field(found, path) == wanted for path, wanted in _pairs(query.get("fieldSelector", ""))
    )


def _field(found: Json, path: str) -> str:
    value: object = found
    for part in path.split("."):
        value = value.get(part, "") if isinstance(value, dict) else ""
    return str(value)
