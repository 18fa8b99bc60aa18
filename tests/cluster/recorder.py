"""Record every version of every Camera and CameraPool of a namespace, for `history.check`.

Promise: nothing is missing, or it raises. It reads the store itself, by etcd's own watch, from
before the first version on: so it goes on while the API server is dead, frozen or expired, none of
its requests are in the audit log, and no cache can fold two versions into one. After a break of the
connection it goes on with the very next revision; if etcd has compacted that, there is a hole.
"""

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from tests.cluster.etcd import Etcd
from tests.cluster.history import CameraVersion, PoolVersion, Version

PREFIX = "/registry/camera-ingest.io/"  # the API server keeps custom resources there, as JSON


class Hole(Exception):
    """Versions were compacted away before they were recorded."""


class Recorder:
    """Lives in the loop of the test, within `record`.

    Attributes:
        revision: All up to here is recorded: the store may be compacted to it without a hole.
    """

    def __init__(self, http: aiohttp.ClientSession, namespace: str) -> None:
        self._http = http
        self._namespace = namespace
        self._versions: list[Version] = []
        self._news = asyncio.Condition()
        self.revision = 0

    async def history(self) -> list[Version]:
        """All versions up to now, by their revisions."""
        marked = await self._call("kv/put", {"key": _base64(f"{PREFIX}recorded")})
        async with asyncio.timeout(30), self._news:
            await self._news.wait_for(lambda: self.revision >= int(marked["header"]["revision"]))
        return list(self._versions)

    async def begin(self) -> None:
        """Take what is there now: the pools first, since Cameras are assigned within them."""
        found = await self._call("kv/range", self._range())
        stored = sorted(found.get("kvs", ()), key=lambda kv: "/cameras/" in _text(kv["key"]))
        for kv in stored:
            self._take(kv, _decoded(kv), deleted=False)
        self.revision = int(found["header"]["revision"])

    async def run(self) -> None:
        """Record until cancelled.

        Raises:
            Hole: the next revision is not there any more.
        """
        while True:
            try:
                await self._watch()
            except (aiohttp.ClientError, TimeoutError):
                await asyncio.sleep(0.05)  # etcd is being restarted

    async def _watch(self) -> None:
        begin = {**self._range(), "start_revision": str(self.revision + 1), "prev_kv": True}
        async with self._http.post("/v3/watch", json={"create_request": begin}) as answer:
            answer.raise_for_status()
            rest = b""
            async for chunk in answer.content.iter_any():  # an answer may be of many megabytes
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    await self._told(json.loads(line))

    async def _told(self, answer: Mapping[str, Any]) -> None:
        result = answer["result"]
        if "compact_revision" in result:
            raise Hole(f"recorded to {self.revision}, compacted to {result['compact_revision']}")
        async with self._news:
            for event in result.get("events", ()):
                deleted = event.get("type") == "DELETE"
                value = event.get("prev_kv") if deleted else event["kv"]
                self._take(event["kv"], _decoded(value), deleted=deleted)
                self.revision = int(event["kv"]["mod_revision"])
            self._news.notify_all()

    def _take(self, kv: Mapping[str, Any], stored: Any, *, deleted: bool) -> None:
        plural, _, place = _text(kv["key"]).removeprefix(PREFIX).partition("/")
        if place.partition("/")[0] != self._namespace:
            return
        revision, at = int(kv["mod_revision"]), time.monotonic()
        if plural == "cameras":  # one that is being deleted is captured until it is gone
            self._versions.append(_camera(stored, revision, at, deleted=deleted))
        elif plural == "camerapools":  # one that is being deleted has no worker any more
            deleted = deleted or "deletionTimestamp" in stored["metadata"]
            self._versions.append(_pool(stored, revision, at, deleted=deleted))

    def _range(self) -> dict[str, str]:
        end = PREFIX[:-1] + chr(ord("/") + 1)
        return {"key": _base64(PREFIX), "range_end": _base64(end)}

    async def _call(self, path: str, body: object) -> Any:
        async with self._http.post(f"/v3/{path}", json=body) as answer:
            answer.raise_for_status()
            return await answer.json()


@asynccontextmanager
async def record(etcd: Etcd, namespace: str) -> AsyncIterator[Recorder]:
    """Record while the block runs; a `Hole` ends the block with an ExceptionGroup."""
    connector = aiohttp.TCPConnector(force_close=True)  # etcd may have been another process before
    patience = aiohttp.ClientTimeout(total=None, sock_connect=5)
    async with (
        aiohttp.ClientSession(etcd.url, timeout=patience, connector=connector) as http,
        asyncio.TaskGroup() as tasks,
    ):
        recorder = Recorder(http, namespace)
        await recorder.begin()
        running = tasks.create_task(recorder.run(), name="recorder")
        yield recorder
        running.cancel()


def _camera(stored: Any, revision: int, at: float, *, deleted: bool) -> CameraVersion:
    metadata, spec = stored["metadata"], stored["spec"]
    status = stored.get("status", {})
    assignment = status.get("assignment", {})
    return CameraVersion(
        revision=revision,
        at=at,
        name=metadata["name"],
        uid=metadata["uid"],
        pool=spec["poolRef"]["name"],
        weight=spec["weight"],
        worker=assignment.get("worker"),
        epoch=assignment.get("epoch", 0),
        yielding=_yielding(spec["source"], assignment, status.get("stream", {})),
        deleted=deleted,
    )


def _yielding(source: Any, assignment: Any, stream: Any) -> str | None:
    """Who captures it until `worker` is connected: the handover's step 5, of one that is Shared."""
    epoch = assignment.get("epoch", 0)
    connected = "connectedTime" in stream and stream.get("epoch", 0) >= epoch
    over = connected or stream.get("releasedEpoch", 0) >= epoch
    exclusive = source.get("rtsp", {}).get("session") == "Exclusive"
    return None if over or exclusive else assignment.get("previous")


def _pool(stored: Any, revision: int, at: float, *, deleted: bool) -> PoolVersion:
    spec = stored["spec"]
    return PoolVersion(
        revision=revision,
        at=at,
        name=stored["metadata"]["name"],
        weight_capacity=spec["worker"]["weightCapacity"],
        max_cameras=spec["worker"]["maxCameras"],
        replicas=None if "autoscaling" in spec else spec["replicas"],
        deleted=deleted,
    )


def _decoded(kv: Mapping[str, Any]) -> Any:
    value = base64.b64decode(kv.get("value", ""))
    return json.loads(value) if value else {"metadata": {}}


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _text(encoded: str) -> str:
    return base64.b64decode(encoded).decode()
