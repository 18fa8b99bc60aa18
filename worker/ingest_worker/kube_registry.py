"""The registry of a worker on Kubernetes: what it sees by watches, what it says by apply.

Every worker applies as one field manager, so that the next worker's word takes the place of the
last one's; that of an earlier assignment is refused by the API server itself. Letting go is said by
a manager of its own: neither takes the other's word away. Each write is one on the version that is
known, so none reaches a camera that was made anew under the same name: the API server checks no
uid when a status is applied.

What a worker calls, for its Role: list and watch Cameras, patch their status, get the Secrets that
they name.
"""

import base64
import binascii
import time
from collections.abc import AsyncIterator, Callable, Mapping
from collections.abc import Set as AbstractSet
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, Protocol

import msgspec

from ingest_core import lenient, model, names
from ingest_core.conditions import merged
from ingest_core.errors import (
    ApiConflict,
    ApiForbidden,
    ApiInvalid,
    ApiNotFound,
    ApiRefused,
    RegistryUnavailable,
    SecretMissing,
    Superseded,
)
from ingest_core.events import rfc3339
from ingest_core.kube.client import Api
from ingest_core.kube.resources import CAMERAS, SECRETS
from ingest_core.model import Camera, Condition, Stream
from ingest_core.registry import CameraReader

_EPOCH: Final = "status.stream.epoch"  # the field whose rule refuses a superseded worker
_OURS: Final = (model.CONNECTED, model.READY)
_TRIES: Final = 4  # of a write that others came before


_Status = Mapping[str, Any]


class Reader(CameraReader, Protocol):
    """What the registry reads by."""

    def put(self, camera: Camera) -> None:
        """Take over what a write answered."""

    async def refresh(self) -> None:
        """See `registry.WorkerRegistry.refresh`."""

    async def look(self, name: str) -> Camera | None:
        """A camera as it is now; None: there is none. Raises as `Api.call`."""


class _Secret(msgspec.Struct, frozen=True):
    data: dict[str, str] = {}


class KubeWorkerRegistry:
    """A `registry.WorkerRegistry`.

    Args:
        api: The server, and the namespace.
        reader: Keeps the cameras; the caller runs it.
        clock: Unix seconds.
    """

    def __init__(self, api: Api, reader: Reader, clock: Callable[[], float] = time.time) -> None:
        self._api = api
        self._reader = reader
        self._clock = clock

    @property
    def cameras(self) -> Mapping[str, Camera]:
        """See `registry.CameraReader`, as the next three."""
        return self._reader.cameras

    @property
    def synced(self) -> bool:
        return self._reader.synced

    def changes(self) -> AbstractAsyncContextManager[AsyncIterator[AbstractSet[str]]]:
        return self._reader.changes()

    def by_id(self, camera_id: str) -> Camera | None:
        return self._reader.by_id(camera_id)

    async def refresh(self) -> None:
        """See `registry.WorkerRegistry`, as all that follow."""
        await self._reader.refresh()

    async def secret(self, name: str, key: str) -> str:
        try:
            answer = await self._api.get(SECRETS, name)
        except ApiNotFound:
            raise SecretMissing(name, key) from None
        except ApiForbidden:
            # The operator extends the Role when it sees the camera: some time after the worker may.
            raise SecretMissing(name, key, "this worker's Role does not allow it (yet)") from None
        except ApiRefused as error:
            raise RegistryUnavailable(f"secret {name!r}: {error.reason}") from None
        try:
            value = msgspec.json.decode(answer, type=_Secret).data[key]
        except (KeyError, msgspec.DecodeError):
            raise SecretMissing(name, key) from None
        try:
            return base64.b64decode(value, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            raise SecretMissing(name, key, f"its key {key!r} is not text in UTF-8") from None

    async def report(
        self, camera: Camera, stream: Stream, conditions: tuple[Condition, ...]
    ) -> None:
        generation, now = camera.metadata.generation, rfc3339(self._clock())

        def status(there: Camera) -> _Status:
            ours = (one for one in there.status.conditions if one.type in _OURS)
            told = merged(ours, conditions, generation=generation, now=now)
            # Also an empty message is said: what the operator wrote of a lost worker must go.
            whole = [{**msgspec.to_builtins(one), "message": one.message} for one in told]
            return {"observedGeneration": generation, "stream": stream, "conditions": whole}

        try:
            await self._apply(camera, status, names.WORKER_MANAGER)
        except ApiInvalid as error:
            if any(cause.field == _EPOCH for cause in error.causes):
                raise Superseded(f"camera {camera.id!r} has a later assignment") from None
            raise

    async def release(self, camera: Camera) -> None:
        stream = Stream(released_epoch=camera.epoch)
        await self._apply(camera, lambda _: {"stream": stream}, names.RELEASE_MANAGER)

    async def _apply(
        self, camera: Camera, status: Callable[[Camera], _Status], manager: str
    ) -> None:
        """Write a part of the status of this very camera, if it is there still.

        Args:
            camera: Which one.
            status: What to write, where the camera is now as given.
            manager: Field manager.
        """
        there = self._reader.cameras.get(camera.name) or await self._reader.look(camera.name)
        for _ in range(_TRIES):
            if there is None or there.metadata.uid != camera.metadata.uid:
                return  # it is gone, or another one by now
            version = there.metadata.resource_version
            body = {
                "apiVersion": names.API_VERSION,
                "kind": CAMERAS.kind,
                "metadata": {"name": camera.name, "resourceVersion": version},
                "status": status(there),
            }
            try:
                answer = await self._api.apply(
                    CAMERAS, camera.name, body, manager=manager, subresource="status"
                )
            except ApiNotFound:
                return
            except ApiConflict:
                there = await self._reader.look(camera.name)
            else:
                self._reader.put(_camera(answer))
                return
        raise RegistryUnavailable(f"camera {camera.id!r} changes all the time")


def _camera(answer: bytes) -> Camera:
    try:
        return lenient.decode(answer, Camera)
    except (
        msgspec.DecodeError
    ):  # written, and told by the watch; a newer release may have edited it
        raise RegistryUnavailable("the API server answered what cannot be read") from None
