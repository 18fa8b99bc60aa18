"""Look at the whole cluster, now and then: what watches lost is found, and what is gone, swept.

After a 410 kopf lists anew and never tells what was deleted meanwhile; and a watch can die in
silence. A watch that did not tell what the API server lists is dead, and so ends the process:
Kubernetes starts it again, with watches that live.
"""

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Final

import msgspec
import structlog

from ingest_core import names
from ingest_core.errors import ApiConflict, ApiNotFound, ApiRefused, IngestError
from ingest_core.kube.client import Api, Call
from ingest_core.kube.informer import Page, version
from ingest_core.kube.resources import (
    CAMERAS,
    LEASES,
    PODS,
    POOLS,
    SERVED,
    STATEFUL_SETS,
    Resource,
)
from ingest_operator.cluster import Cluster, Kind
from ingest_operator.obstacles import NO_CRDS, Obstructed, obstacle
from ingest_operator.state import Headed, Meta

PAGE: Final = "500"
GRACE_SECONDS: Final = 10.0  # in which a watch must have told what a list shows
SILENCE_SECONDS: Final = 45.0  # without any news of Leases, which the leader renews all the time
OURS: Final = f"{names.LABEL_MANAGED_BY}={names.APP}"

RESOURCES: Final[Mapping[Kind, Resource]] = {
    Kind.CAMERA: CAMERAS,
    Kind.POOL: POOLS,
    Kind.LEASE: LEASES,
    Kind.POD: PODS,
    Kind.STATEFUL_SET: STATEFUL_SETS,
}
_SELECT: Final[Mapping[Kind, Mapping[str, str]]] = {
    Kind.CAMERA: {},
    Kind.POOL: {},
    Kind.LEASE: {"labelSelector": OURS},
    Kind.POD: {"labelSelector": OURS},
    Kind.STATEFUL_SET: {"labelSelector": OURS},
}

log: structlog.stdlib.BoundLogger = structlog.get_logger()


class WatchDead(IngestError):
    """The API server lives, and a watch of it does not."""


class _Name(msgspec.Struct, frozen=True):
    name: str


class _Served(msgspec.Struct, frozen=True):
    resources: tuple[_Name, ...] = ()


class Sweeper:
    """Lists what the watches should have told.

    Args:
        api: The server, and the namespace.
        cluster: Takes over what is listed.
    """

    def __init__(self, api: Api, cluster: Cluster) -> None:
        self._api = api
        self._cluster = cluster

    async def reach(self) -> None:
        """Is everything there that is to be read, and this account allowed to?

        Raises:
            Obstructed: Something is not there, or not for us.
            ApiUnavailable: The server is away.
        """
        served = msgspec.json.decode(await self._ask(Call("list", SERVED)), type=_Served)
        if not {CAMERAS.plural, POOLS.plural} <= {one.name for one in served.resources}:
            raise Obstructed(NO_CRDS)
        for kind in Kind:
            await self._ask(Call("list", RESOURCES[kind], query={**_SELECT[kind], "limit": "1"}))
        await self._demand_namespace()

    async def _demand_namespace(self) -> None:
        """A list says nothing of a namespace that is not there; making something in it does."""
        try:
            await self._api.get(LEASES, names.OPERATOR_LEASE)
        except ApiNotFound:
            lease = {"apiVersion": LEASES.api_version, "kind": LEASES.kind}
            body = {**lease, "metadata": {"name": names.OPERATOR_LEASE}}
            with contextlib.suppress(ApiConflict):  # it is there by now
                await self._ask(Call("create", LEASES, query={"dryRun": "All"}, body=body))
        except ApiRefused as error:
            raise self._obstacle(error, LEASES) from None

    async def begin(self) -> None:
        """Read everything for the first time. Raises as `reach`."""
        for kind in Kind:
            await self._list(kind, take=True)

    async def look(self) -> None:
        """Read everything again.

        Raises:
            WatchDead: A watch did not tell of what is listed.
            Obstructed, ApiUnavailable: It cannot be listed now.
        """
        behind = {kind: await self._list(kind, take=False) for kind in Kind}
        if any(behind.values()):
            await asyncio.sleep(GRACE_SECONDS)
        for kind, listed in behind.items():
            still = [
                name
                for name, head in listed.items()
                if self._is_behind(kind, head) and await self._exists(kind, head)
            ]
            if still:
                raise WatchDead(f"the watch of {kind} did not tell of {', '.join(still[:3])}")

    def demand_news(self) -> None:
        """Is the watch of Leases silent, while the server answers?

        Raises:
            WatchDead: It is.
        """
        silent = self._cluster.silence
        if silent > SILENCE_SECONDS:
            raise WatchDead(f"the watch of Leases has told nothing for {silent:.0f} s")

    async def _list(self, kind: Kind, *, take: bool) -> dict[str, Meta]:
        """Sweep what is gone; gives what is newer than what is known, or takes it over."""
        listed: set[str] = set()
        newer: dict[str, Meta] = {}
        query = {**_SELECT[kind], "limit": PAGE}
        while True:
            answer = await self._ask(Call("list", RESOURCES[kind], query=query))
            page = msgspec.json.decode(answer, type=Page)
            for raw in page.items:
                head = msgspec.json.decode(raw, type=Headed).metadata
                listed.add(head.name)
                if take:
                    self._cluster.see(kind, msgspec.json.decode(raw))
                elif self._is_behind(kind, head):
                    newer[head.name] = head
            if not page.metadata.continue_:
                break
            query["continue"] = page.metadata.continue_
            await asyncio.sleep(0)  # 10,000 Cameras are 20 pages: others have their turn between
        at = version(page.metadata.resource_version)
        self._cluster.reached(kind, at)
        for name in [name for name in self._cluster.known(kind) if name not in listed]:
            self._cluster.gone(kind, name, at)
        return newer

    async def _exists(self, kind: Kind, head: Meta) -> bool:
        """Is it there still, and not another one of its name, made since?"""
        query = {"fieldSelector": f"metadata.name={head.name}"}
        page = await self._ask(Call("list", RESOURCES[kind], query=query))
        items = msgspec.json.decode(page, type=Page).items
        return any(msgspec.json.decode(raw, type=Headed).metadata.uid == head.uid for raw in items)

    async def _ask(self, call: Call) -> bytes:
        """Raises Obstructed, ApiConflict, ApiUnavailable."""
        try:
            return await self._api.call(call)
        except ApiConflict:
            raise
        except ApiRefused as error:
            raise self._obstacle(error, call.resource) from None

    def _obstacle(self, error: ApiRefused, resource: Resource) -> Obstructed:
        return obstacle(error, resource, self._api.namespace, self._api.access.where)

    def _is_behind(self, kind: Kind, head: Meta) -> bool:
        known = self._cluster.head(kind, head.name)
        if known is None:
            return True
        return version(known.resource_version) < version(head.resource_version)
