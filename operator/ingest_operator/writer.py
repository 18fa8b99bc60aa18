"""Write what a plan asks for: so many at once, each whole, each by itself.

What is refused or unanswered is told and left: the next pass plans anew from what is. A write that
was answered is taken over at once, so that the next plan does not wait for the watch to tell it.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

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
from ingest_core.kube.informer import Page, version
from ingest_core.kube.resources import CAMERAS, LEASES, POOLS, STATEFUL_SETS, Resource
from ingest_core.logs import Folded
from ingest_operator import permissions
from ingest_operator.cluster import Cluster, Kind
from ingest_operator.manifests import Manifest
from ingest_operator.plan import Write
from ingest_operator.state import Headed, Meta

AT_ONCE: Final = 32

log: structlog.stdlib.BoundLogger = structlog.get_logger()


class NotLeading(IngestError):
    """Nothing may be written: for all that this process knows, another one leads."""

    def __init__(self) -> None:
        super().__init__("the Lease could not be renewed in time, so another one may lead")


@dataclass
class Outcome:
    """What became of the writes of a pass.

    Attributes:
        written: Those whose cameras were written.
        refused: Cameras that are as they were, by name, with their version: a refusal for good.
        error: What cut the pass short; None: nothing did.
    """

    written: list[Write] = field(default_factory=list)
    refused: dict[str, int] = field(default_factory=dict)
    error: ApiUnavailable | NotLeading | None = None


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
        for plural in permissions.written():  # from 0: `increase` does not see a series being born
            errors.labels(plural)
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._denied = ("", "", "")  # resource, name and error of the last one
        self._denials = Folded(self._tell_denials)

    async def cameras(self, writes: Iterable[Write], within: float) -> Outcome:
        """Write cameras, as far as it goes: what was written before an error counts.

        Args:
            writes: As they were planned.
            within: Seconds after which nothing is given away any more that a lost worker could
                capture again: see `_gives_away`.
        """
        outcome = Outcome()
        until = asyncio.get_running_loop().time() + within
        ends = await asyncio.gather(
            *(
                self._camera(write, outcome, until if _gives_away(write) else None)
                for write in sorted(writes, key=_gives_away, reverse=True)
            ),
            return_exceptions=True,
        )
        for end in ends:
            if isinstance(end, ApiUnavailable | NotLeading):
                outcome.error = outcome.error or end
            elif end is not None:
                raise end
        return outcome

    async def pool_status(self, name: str, version: str, status: object) -> bool:
        """Write the status of a pool on this version of it; was it?

        Raises:
            ApiUnavailable: The server is away; what was not written is not.
            NotLeading: This process could not renew its Lease in time.
        """
        body = {
            "apiVersion": names.API_VERSION,
            "kind": POOLS.kind,
            "metadata": {"name": name, "resourceVersion": version},
            "status": status,
        }
        return await self._try(POOLS, Kind.POOL, name, lambda: self._status(POOLS, name, body))

    async def manifest(self, manifest: Manifest) -> Meta | None:
        """Apply an object of a pool's; as it is then, or None: it was refused.

        Raises as `pool_status`.
        """
        resource, name = manifest.resource, manifest.name
        kind = Kind.STATEFUL_SET if resource is STATEFUL_SETS else None
        answer = b""

        async def apply() -> bytes:
            nonlocal answer
            answer = await self._api.apply(
                resource,
                name,
                manifest.body,
                manager=names.OPERATOR_MANAGER,
                fence=self._fence,
            )
            return answer

        if not await self._try(resource, kind, name, apply):
            return None
        return msgspec.json.decode(answer, type=Headed).metadata

    async def found(self, resource: Resource, name: str) -> bytes | None:
        """An object of a pool's as it is; None: it is not there. Raises as a read.

        By a patch that changes nothing, and so writes nothing: of what a pool is made of the
        operator may read Roles only, and needs to read the rest only to take nothing over.
        """
        try:
            return await self._api.merge(resource, name, {}, manager=names.OPERATOR_MANAGER)
        except ApiNotFound:
            return None

    async def remove(self, resource: Resource, name: str, uid: str) -> bool:
        """Delete this very object, if it is there. Raises as `pool_status`."""

        async def delete() -> None:
            try:
                await self._api.delete(resource, name, uid=uid, fence=self._fence)
            except ApiNotFound:
                return

        return await self._try(resource, None, name, delete)

    async def remove_lease(self, name: str, version: str) -> bool:
        """Delete the Lease of a worker that is no more. Raises as `pool_status`."""

        async def delete() -> None:
            await self._api.delete(LEASES, name, version=version, fence=self._fence)

        return await self._try(LEASES, Kind.LEASE, name, delete)

    def _fence(self) -> None:
        """Asked right before each request, the second one of a write, too."""
        if not self._holds():
            raise NotLeading

    async def _camera(self, write: Write, outcome: Outcome, until: float | None) -> None:
        camera = write.camera
        version = str(camera.version)
        status: dict[str, object] = {"conditions": [write.assigned]}
        if write.assignment is not None:
            status["assignment"] = write.assignment
        try:
            async with asyncio.timeout_at(until):
                written = await self._camera_status(
                    camera.name, version, status, names.OPERATOR_MANAGER
                )
        except TimeoutError:
            self._errors.labels(CAMERAS.plural).inc()
            raise ApiUnavailable(f"Camera {camera.name} was not given away in time") from None
        if written:
            outcome.written.append(write)
            head = self._cluster.head(Kind.CAMERA, camera.name)
            if write.ready is None or head is None:
                return
            version = head.resource_version
            # By a manager of its own: the operator's next apply must not take Ready away with it,
            # and a worker that captures the camera takes it over by force.
            ready = {"conditions": [write.ready]}
            if await self._camera_status(camera.name, version, ready, names.UNREADY_MANAGER):
                return
        head = self._cluster.head(Kind.CAMERA, camera.name)
        if head is not None and head.resource_version == version:
            outcome.refused[camera.name] = int(version)

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
        return await self._api.apply(
            resource, name, body, manager=manager, subresource="status", fence=self._fence
        )

    async def _try(
        self,
        resource: Resource,
        kind: Kind | None,
        name: str,
        ask: Callable[[], Awaitable[bytes | None]],
    ) -> bool:
        async with self._slots:
            known = None if kind is None else self._cluster.head(kind, name)
            try:
                answer = await ask()
            except ApiNotFound:
                if kind is not None and known is not None:  # and not what was made anew meanwhile
                    self._cluster.gone(kind, name, version(known.resource_version))
                return False
            except (ApiConflict, ApiInvalid) as error:
                # Written by a worker, a user or another leader since, or made anew: look again.
                if isinstance(error, ApiInvalid):
                    self._errors.labels(resource.plural).inc()  # a conflict is nobody's error
                tell = log.warning if isinstance(error, ApiInvalid) else log.info
                tell("write_refused", resource=resource.plural, name=name, error=str(error))
                if kind is not None:
                    with contextlib.suppress(ApiRefused):  # the watch tells, too
                        await self._look(resource, kind, name)
                return False
            except ApiRefused as error:
                self._errors.labels(resource.plural).inc()
                self._denied = (resource.plural, name, str(error))
                self._denials.add(asyncio.get_running_loop().time())
                return False
            except ApiUnavailable:
                self._errors.labels(resource.plural).inc()
                raise
        if kind is not None and answer:
            self._cluster.see(kind, msgspec.json.decode(answer))
        return True

    async def _look(self, resource: Resource, kind: Kind, name: str) -> None:
        """Read an object anew that is not what was believed; by a list: `get` is not allowed."""
        answer = await self._api.get(resource, fieldSelector=f"metadata.name={name}")
        page = msgspec.json.decode(answer, type=Page)
        for item in page.items:
            self._cluster.see(kind, msgspec.json.decode(item))
        if not page.items:
            self._cluster.gone(kind, name, version(page.metadata.resource_version))

    def _tell_denials(self, count: int) -> None:
        """The last one, once a second: a policy may refuse hundreds."""
        resource, name, error = self._denied
        log.warning("write_denied", resource=resource, name=name, error=error, others=count - 1)


def _gives_away(write: Write) -> bool:
    """Does somebody lose an Exclusive camera by this who did not say that it let go?

    Only who is lost does, and it may come back: it opens the camera again `renewSeconds` later, if
    the API server says then that it has it. So a write that lands after that is one too late.
    """
    camera, assignment = write.camera, write.assignment
    if not camera.exclusive or assignment is None:
        return False
    previous = camera.previous if camera.released < camera.epoch else None
    return not {camera.worker, previous} <= {None, assignment.worker, assignment.previous}
