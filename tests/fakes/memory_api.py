"""An API server in memory, as far as the operator builds on one.

It keeps the promises that decide: versions that grow with every change and with nothing else,
preconditions, server-side apply by manager, the fences that the CRDs set up by CEL, label and
field selectors, pages. What it does not know it refuses loudly. Objects are never changed: each
change makes another one.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from ingest_core import names
from ingest_core.errors import ApiConflict, ApiInvalid, ApiNotFound, ApiRefused, ApiUnavailable
from ingest_core.kube.access import Access
from ingest_core.kube.client import APPLY, CALL_SECONDS, MERGE, Api, Call, Called
from ingest_core.kube.resources import CAMERAS, LEASES, POOLS, SERVED, Resource

Json = dict[str, Any]
Event = tuple[str, str, Json]  # ADDED, MODIFIED or DELETED; plural; the object
Hook = Callable[[Call], Awaitable[None]]

FIRST_VERSION: Final = 1000


async def _nothing(_call: Call) -> None:
    pass


def _nobody(_verb: str, _resource: str, _code: str, _took: float, /) -> None:
    pass


class MemoryServer:
    """One namespace.

    Attributes:
        watches: Told of every change.
    """

    def __init__(self) -> None:
        self.version = FIRST_VERSION
        self.watches: list[Callable[[Event], None]] = []
        self._objects: dict[tuple[str, str], Json] = {}
        self._owners: dict[tuple[str, str], set[str]] = {}  # uid and field → managers

    # For tests

    def put(self, resource: Resource, name: str, **parts: Any) -> Json:
        """What a user applies: metadata is merged, any other part replaced."""
        key = resource.plural, name
        there = self._objects.get(key)
        made = there or _new(resource, name, self.version)
        metadata = {**made["metadata"], **parts.pop("metadata", {})}
        if there is not None and parts.get("spec", made.get("spec")) != made.get("spec"):
            metadata["generation"] += 1
        return self._write(key, {**made, **parts, "metadata": metadata})

    def drop(self, resource: Resource, name: str) -> None:
        """What a user deletes."""
        gone = self._objects.pop((resource.plural, name))
        self.version += 1
        self._tell(("DELETED", resource.plural, _versioned(gone, self.version)))

    def find(self, resource: Resource, name: str) -> Any:
        """An object; None: it is not there."""
        return self._objects.get((resource.plural, name))

    def every(self, resource: Resource) -> list[Any]:
        """All objects of a kind, by name."""
        return [
            found
            for (plural, _), found in sorted(self._objects.items())
            if plural == resource.plural
        ]

    # The server

    def do(self, call: Call) -> Json:
        """Do a call; raises as `Api.call`."""
        how = {
            "list": self._list,
            "get": self._there,
            "create": self._create,
            "update": self._update,
            "delete": self._delete,
            APPLY: self._apply,
            MERGE: self._merge,
        }
        return how[call.content_type if call.verb == "patch" else call.verb](call)

    def _list(self, call: Call) -> Json:
        if call.resource is SERVED:
            return {"resources": [{"name": one.plural} for one in (CAMERAS, POOLS)]}
        chosen = [
            found
            for found in self.every(call.resource)
            if _selected(found, call.query)
            and found["metadata"]["name"] > call.query.get("continue", "")
        ]
        limit = int(call.query.get("limit", 0)) or len(chosen)
        metadata = {"resourceVersion": str(self.version)}
        if len(chosen) > limit:
            metadata["continue"] = chosen[limit - 1]["metadata"]["name"]
        return {"metadata": metadata, "items": chosen[:limit]}

    def _there(self, call: Call) -> Json:
        found: Json | None = self.find(call.resource, call.name)
        if found is None:
            raise ApiNotFound(404, "NotFound", f"{call.label} {call.name} not found")
        return found

    def _create(self, call: Call) -> Json:
        body = _body(call)
        name = body["metadata"]["name"]
        if (call.resource.plural, name) in self._objects:
            raise ApiConflict(409, "AlreadyExists", f"{call.label} {name} already exists")
        made = _new(call.resource, name, self.version)
        metadata = {**body["metadata"], **made["metadata"]}
        made = {**made, **body, "metadata": metadata}
        return made if "dryRun" in call.query else self._write((call.resource.plural, name), made)

    def _update(self, call: Call) -> Json:
        there, body = self._there(call), _body(call)
        _demand_version(there, body)
        metadata = {**there["metadata"], **body["metadata"]}
        return self._write(_key(call), {**there, **body, "metadata": metadata})

    def _apply(self, call: Call) -> Json:
        if self.find(call.resource, call.name) is None and not call.subresource:
            return self._create(call)
        there, body = self._there(call), _body(call)
        _demand_version(there, body)
        if call.subresource:
            changed = self._apply_status(there, body["status"], call.query["fieldManager"])
            return self._write(_key(call), {**there, "status": changed})
        metadata = {**there["metadata"], **body["metadata"]}
        metadata["generation"] += body.get("spec") != there.get("spec")
        return self._write(_key(call), {**there, **body, "metadata": metadata})

    def _apply_status(self, there: Json, status: Json, manager: str) -> Json:
        """What a manager no longer says goes, unless another one says it, too."""
        uid = there["metadata"]["uid"]
        before, now = _fields(there.get("status", {})), _fields(status)
        for field, value in now.items():
            owners = self._owners.setdefault((uid, field), set())
            if before.get(field) != value:
                owners.clear()
            owners.add(manager)
        merged = {**before, **now}
        for field in before.keys() - now.keys():
            owners = self._owners.get((uid, field), set())
            if manager in owners:
                owners.remove(manager)
                if not owners:
                    del merged[field]
        return _unfields(merged)

    def _merge(self, call: Call) -> Json:
        there, body = self._there(call), _body(call)
        _demand_version(there, body)
        merged: Json = _merged(there, body)
        return self._write(_key(call), merged)

    def _delete(self, call: Call) -> Json:
        there = self._there(call)
        for field, wanted in _body(call).get("preconditions", {}).items():
            if there["metadata"][field] != wanted:
                raise ApiConflict(409, "Conflict", f"the {field} does not match")
        self.drop(call.resource, call.name)
        return {"kind": "Status", "status": "Success"}

    def _write(self, key: tuple[str, str], made: Json) -> Json:
        before = self._objects.get(key)
        if before is not None and before == made:
            return made
        if key[0] == CAMERAS.plural and before is not None:
            _demand_fences(before.get("status", {}), made.get("status", {}))
        self.version += 1
        self._objects[key] = _versioned(made, self.version)
        self._tell(("MODIFIED" if before else "ADDED", key[0], self._objects[key]))
        return self._objects[key]

    def _tell(self, event: Event) -> None:
        for watch in self.watches:
            watch(event)


class MemoryApi(Api):
    """A client's way to the server.

    Attributes:
        asked: Every call.
        before, after: Awaited before a call is done, and before its answer is given: they may wait,
            or raise what the caller then gets.
    """

    def __init__(self, server: MemoryServer, called: Called = _nobody) -> None:
        self.namespace = "test"
        self.access = Access(None, {}, lambda: 0.0, Path("/nowhere"))
        self.asked: list[Call] = []
        self.before: Hook = _nothing
        self.after: Hook = _nothing
        self._server = server
        self._called = called

    def calls(self, verb: str, label: str = "") -> list[Call]:
        """What was asked so far."""
        return [one for one in self.asked if one.verb == verb and label in ("", one.label)]

    async def call(self, call: Call, seconds: float = CALL_SECONDS) -> bytes:
        del seconds
        call.fence()
        self.asked.append(call)
        code = "200"
        try:
            await asyncio.sleep(0)
            await self.before(call)
            answer = json.dumps(self._server.do(call)).encode()
            await self.after(call)
        except ApiRefused as error:
            code = str(error.status)
            raise
        except ApiUnavailable:
            code = "none"
            raise
        else:
            return answer
        finally:
            self._called(call.verb, call.label, code, 0.0)


def _new(resource: Resource, name: str, version: int) -> Json:
    metadata = {"name": name, "uid": f"{name}-{version}", "generation": 1, "resourceVersion": "0"}
    return {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata}


def _versioned(found: Json, version: int) -> Json:
    return {**found, "metadata": {**found["metadata"], "resourceVersion": str(version)}}


def _body(call: Call) -> Json:
    body: Json = msgspec.to_builtins(call.body)
    return body


def _key(call: Call) -> tuple[str, str]:
    return call.resource.plural, call.name


def _selected(found: Json, query: Mapping[str, str]) -> bool:
    labels = found["metadata"].get("labels") or {}
    wanted = dict(_pairs(query.get("labelSelector", "")))
    fields = dict(_pairs(query.get("fieldSelector", "")))
    assert fields.keys() <= {"metadata.name"}
    named = fields.get("metadata.name", found["metadata"]["name"]) == found["metadata"]["name"]
    return named and all(labels.get(key) == value for key, value in wanted.items())


def _pairs(selector: str) -> Iterable[tuple[str, str]]:
    for one in filter(None, selector.split(",")):
        key, _, value = one.partition("=")
        yield key, value


def _fields(status: Json) -> Json:
    """By path, as managers own them: parts of objects one by one, each condition whole."""
    found: Json = {}
    for key, value in status.items():
        if key == "conditions":
            found.update({f"{key}/{one['type']}": one for one in value})
        elif isinstance(value, dict):
            found.update({f"{key}/{part}": one for part, one in value.items()})
        else:
            found[key] = value
    return found


def _unfields(fields: Json) -> Json:
    status: Json = {}
    for path, value in fields.items():
        key, _, part = path.partition("/")
        if key == "conditions":
            status.setdefault(key, []).append(value)
        elif part:
            status.setdefault(key, {})[part] = value
        else:
            status[key] = value
    return status


def _merged(there: Any, patch: Any) -> Any:
    if not (isinstance(there, dict) and isinstance(patch, dict)):
        return patch
    changed = {key: _merged(there.get(key), value) for key, value in patch.items()}
    return {key: value for key, value in {**there, **changed}.items() if value is not None}


def _demand_version(there: Json, body: Json) -> None:
    """As the real one: a version that is said must be the current one; a uid is not looked at."""
    wanted = body.get("metadata", {}).get("resourceVersion")
    if wanted is not None and wanted != there["metadata"]["resourceVersion"]:
        raise ApiConflict(409, "Conflict", "the object has been modified")


def _demand_fences(before: Json, made: Json) -> None:
    """The rules of crds/camera.yaml on `status`."""
    old, new = before.get("assignment"), made.get("assignment")
    if new is not None and new.get("previous") and new.get("previous") == new.get("worker"):
        raise _invalid("status.assignment.previous: must differ from worker")
    if old is not None:
        if new is None:
            raise _invalid("status.assignment must not be removed")
        _demand_grown(old, new)
    epochs = [one.get("stream", {}).get("epoch") for one in (before, made)]
    if epochs[0] is not None and (epochs[1] is None or epochs[1] < epochs[0]):
        raise _invalid("status.stream.epoch: must never fall")


def _demand_grown(old: Json, new: Json) -> None:
    if new["epoch"] < old["epoch"]:
        raise _invalid("status.assignment.epoch: must never fall")
    if new["epoch"] > old["epoch"]:
        return
    if new.get("worker") != old.get("worker"):
        raise _invalid("status.assignment.epoch: must grow when the worker changes")
    if new.get("previous") not in (None, old.get("previous")):
        raise _invalid("status.assignment.epoch: must grow when another worker becomes previous")


def _invalid(message: str) -> ApiInvalid:
    return ApiInvalid(422, "Invalid", message)


# What users and workers write


def put_pool(server: MemoryServer, name: str = "default", **spec: Any) -> Json:
    return server.put(POOLS, name, spec=spec)


def put_camera(server: MemoryServer, name: str, *, exclusive: bool = False, **spec: Any) -> Json:
    rtsp = {"url": "rtsp://camera.example/stream"}
    if exclusive:
        rtsp["session"] = "Exclusive"
    return server.put(CAMERAS, name, spec={"source": {"rtsp": rtsp}, **spec})


def put_lease(
    server: MemoryServer,
    worker: str,
    renewed: object,
    *,
    pool: str | None = None,
    holder: str | None = "somebody",
    draining: bool = False,
    duration: int = 10,
) -> Json:
    """A worker's Lease, renewed at a moment that differs from the one before."""
    metadata = {
        "labels": {
            names.LABEL_POOL: worker.rpartition("-")[0] if pool is None else pool,
            names.LABEL_MANAGED_BY: names.APP,
        },
        "annotations": {names.ANNOTATION_DRAINING: "true"} if draining else {},
    }
    spec = {
        "holderIdentity": holder,
        "leaseDurationSeconds": duration,
        "renewTime": f"{renewed}",
    }
    return server.put(LEASES, worker, metadata=metadata, spec=spec)
