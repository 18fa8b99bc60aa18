"""Write what a plan asks for: so many at once, each whole, each by itself.

What is refused or unanswered is told and left: the next pass plans anew from what is. A write that
was answered is taken over at once, so that the next plan does not wait for the watch to tell it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Final

import msgspec
import structlog
from prometheus_client import Counter

from ingest_core import names
from ingest_core.errors import (
    ApiConflict,
    ApiInvalid,
    ApiNotFound,
    ApiRefused,
    ApiUnavailable,
    IngestError,
)
from ingest_core.kube.client import Api
from ingest_core.kube.informer import Page
from ingest_core.kube.resources import CAMERAS, LEASES, POOLS, Resource
from ingest_operator.cluster import Cluster, Kind
from ingest_operator.manifests import Manifest
from ingest_operator.plan import Write

AT_ONCE: Final = 32

log: structlog.stdlib.BoundLogger = structlog.get_logger()


class NotLeading(IngestError):
    """Nothing may be written: for all that this process knows, another one leads."""

    def __init__(self) -> None:
        super().__init__("the Lease could not be renewed in time, so another one may lead")


class Writer:
    """The operator's hand.

    Args:
        api: The server, and the namespace.
        cluster: Takes the answers over.
        holds: May this process act as the leader at this moment?
        errors: By resource.
    """

    def __init__(
        self, api: Api, cluster: Cluster, *, holds: Callable[[], bool], errors: Counter
    ) -> None:
        self._api = api
        self._cluster = cluster
        self._holds = holds
        self._errors = errors
        self._slots = asyncio.Semaphore(AT_ONCE)

    async def cameras(self, writes: Iterable[Write]) -> list[Write]:
        """Write cameras; gives those that were written.

        Raises:
            ApiUnavailable: The server is away; what was not written is not.
            NotLeading: This process could not renew its Lease in time.
        """
        asked = list(writes)
        done = await self._every(self._camera(write) for write in asked)
        return [write for write, written in zip(asked, done, strict=True) if written]

    async def pool_status(self, name: str, version: str, status: object) -> bool:
        """Write the status of a pool on this version of it. Raises as `cameras`."""
        body = {
            "apiVersion": names.API_VERSION,
            "kind": POOLS.kind,
            "metadata": {"name": name, "resourceVersion": version},
            "status": status,
        }
        return await self._try(POOLS, Kind.POOL, name, lambda: self._status(POOLS, name, body))

    async def manifest(self, manifest: Manifest) -> bool:
        """Apply an object of a pool's. Raises as `cameras`."""
        name = manifest.name
        return await self._try(
            manifest.resource,
            None,
            name,
            lambda: self._api.apply(
                manifest.resource, name, manifest.body, manager=names.OPERATOR_MANAGER
            ),
        )

    async def remove(self, resource: Resource, name: str) -> bool:
        """Delete an object, if it is there. Raises as `cameras`."""

        async def delete() -> None:
            try:
                await self._api.delete(resource, name)
            except ApiNotFound:
                return

        return await self._try(resource, None, name, delete)

    async def remove_lease(self, name: str, version: str) -> bool:
        """Delete the Lease of a worker that is no more. Raises as `cameras`."""

        async def delete() -> None:
            await self._api.delete(LEASES, name, version=version)

        return await self._try(LEASES, Kind.LEASE, name, delete)

    async def _camera(self, write: Write) -> bool:
        camera = write.camera
        status: dict[str, object] = {"conditions": [write.assigned]}
        if write.assignment is not None:
            status["assignment"] = write.assignment
        written = await self._camera_status(
            camera.name, str(camera.version), status, names.OPERATOR_MANAGER
        )
        head = self._cluster.head(Kind.CAMERA, camera.name)
        if written and write.ready is not None and head is not None:
            # By a manager of its own: the operator's next apply must not take Ready away with it,
            # and a worker that captures the camera takes it over by force.
            ready = {"conditions": [write.ready]}
            written = await self._camera_status(
                camera.name, head.resource_version, ready, names.UNREADY_MANAGER
            )
        return written

    async def _camera_status(
        self, name: str, version: str, status: Mapping[str, object], manager: str
    ) -> bool:
        """Write on the version that was planned for, and on no other.

        So what was decided too long ago is refused, and what was meant for a camera that was made
        anew under the same name: the API server checks no uid when a status is applied.
        """
        body = {
            "apiVersion": names.API_VERSION,
            "kind": CAMERAS.kind,
            "metadata": {"name": name, "resourceVersion": version},
            "status": status,
        }
        return await self._try(
            CAMERAS,
            Kind.CAMERA,
            name,
            lambda: self._status(CAMERAS, name, body, manager),
        )

    async def _status(
        self,
        resource: Resource,
        name: str,
        body: object,
        manager: str = names.OPERATOR_MANAGER,
    ) -> bytes:
        return await self._api.apply(resource, name, body, manager=manager, subresource="status")

    async def _try(
        self,
        resource: Resource,
        kind: Kind | None,
        name: str,
        ask: Callable[[], Awaitable[bytes | None]],
    ) -> bool:
        async with self._slots:
            if not self._holds():
                raise NotLeading
            try:
                answer = await ask()
            except ApiNotFound:
                if kind is not None:
                    self._forget(kind, name)
                return False
            except (ApiConflict, ApiInvalid) as error:
                # Written by a worker, a user or another leader since, or made anew: look again.
                self._errors.labels(resource.plural).inc()
                log.info("write_refused", resource=resource.plural, name=name, error=str(error))
                if kind is not None:
                    await self._look(resource, kind, name)
                return False
            except ApiRefused as error:
                self._errors.labels(resource.plural).inc()
                log.warning("write_denied", resource=resource.plural, name=name, error=str(error))
                return False
            except ApiUnavailable:
                self._errors.labels(resource.plural).inc()
                raise
        if kind is not None and answer:
            self._cluster.see(kind, msgspec.json.decode(answer))
        return True

    async def _look(self, resource: Resource, kind: Kind, name: str) -> None:
        """Read an object anew that is not what was believed; by a list: `get` is not allowed."""
        page = await self._api.get(resource, fieldSelector=f"metadata.name={name}")
        items = msgspec.json.decode(page, type=Page).items
        for item in items:
            self._cluster.see(kind, msgspec.json.decode(item))
        if not items:
            self._forget(kind, name)

    def _forget(self, kind: Kind, name: str) -> None:
        head = self._cluster.head(kind, name)
        if head is not None:
            self._cluster.gone(kind, name, int(head.resource_version or 0))

    async def _every(self, asked: Iterable[Awaitable[bool]]) -> list[bool]:
        """Await all; the first error that ends a pass is raised when all have ended."""
        results: list[Any] = await asyncio.gather(*asked, return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return results
