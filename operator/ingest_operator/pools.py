"""Keep what each pool is made of: apply what differs, say how it is, remove what is no more.

What was applied is remembered, and forgotten at each resync, so that drift is repaired then.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
import structlog

from ingest_core import names
from ingest_core.kube.client import Api
from ingest_core.kube.informer import Page
from ingest_core.kube.resources import ROLE_BINDINGS, ROLES, Resource
from ingest_core.pool import CameraPool
from ingest_operator import autoscale
from ingest_operator.cluster import Cluster, Kind
from ingest_operator.manifests import manifests, selector_text
from ingest_operator.pool_status import PoolFacts, pool_status
from ingest_operator.settings import OperatorSettings
from ingest_operator.state import CameraState, Life, Meta, WorkerState
from ingest_operator.writer import Writer

log: structlog.stdlib.BoundLogger = structlog.get_logger()

Key = tuple[str, str]


class _Headed(msgspec.Struct, frozen=True):
    metadata: Meta


class Pools:
    """Owner of what was applied, by pool and by resource and name."""

    def __init__(self, api: Api, writer: Writer, settings: OperatorSettings) -> None:
        self._api = api
        self._writer = writer
        self._settings = settings
        self._applied: dict[str, dict[Key, Mapping[str, Any]]] = {}

    def forget(self) -> None:
        """Apply everything again at the next pass."""
        self._applied.clear()

    async def objects(
        self, cluster: Cluster, replicas: Mapping[str, int], workers: Mapping[str, WorkerState]
    ) -> None:
        """Apply what a pool is made of, where it differs from what was applied.

        Raises:
            ApiUnavailable: The server is away.
            NotLeading: This process could not renew its Lease in time.
        """
        members = _by_pool(cluster)
        for name, wanted in replicas.items():
            pool = cluster.pools.get(name)
            if pool is None:  # deleted while others were written
                continue
            secrets = {secret for camera in members[name] for secret in camera.secrets}
            running = autoscale.kept(wanted, _busy(cluster.cameras.values(), workers, name))
            await self._objects(pool, running, secrets)
        for name in self._applied.keys() - replicas.keys():
            del self._applied[name]

    async def _objects(self, pool: CameraPool, running: int, secrets: set[str]) -> None:
        name = pool.metadata.name
        applied = self._applied.get(name)
        made = manifests(pool, self._settings, running, secrets)
        wanted = {(one.resource.plural, one.name) for one in made}
        if applied is None:
            applied = self._applied[name] = {key: {} for key in await self._there(name)}
        for manifest in made:
            key = manifest.resource.plural, manifest.name
            if applied.get(key) != manifest.body and await self._writer.manifest(manifest):
                applied[key] = manifest.body
        for key in sorted(applied.keys() - wanted):  # a RoleBinding before its Role
            plural, one = key
            if await self._writer.remove(_GRANTS[plural], one):
                del applied[key]

    async def _there(self, pool: str) -> set[Key]:
        """The Roles and RoleBindings of a pool: what it grants must not outlive its reason."""
        found = set()
        for resource in _GRANTS.values():
            page = msgspec.json.decode(
                await self._api.get(resource, labelSelector=selector_text(pool)), type=Page
            )
            for raw in page.items:
                found.add((resource.plural, msgspec.json.decode(raw, type=_Headed).metadata.name))
        return found

    async def statuses(
        self,
        cluster: Cluster,
        replicas: Mapping[str, int],
        workers: Mapping[str, WorkerState],
        exhausted: Mapping[str, int],
        now: str,
    ) -> None:
        """Write how each pool is, where that differs from what it says. Raises as `objects`."""
        members = _by_pool(cluster)
        pods: Counter[str] = Counter()
        ready: Counter[str] = Counter()
        for pod in cluster.pods.values():
            owner = (pod.metadata.labels or {}).get(names.LABEL_POOL, "")
            pods[owner] += 1
            ready[owner] += pod.ready
        for name, wanted in replicas.items():
            pool = cluster.pools.get(name)
            if pool is None:
                continue
            facts = PoolFacts(
                cameras=members[name],
                workers=[one for one in workers.values() if one.pool == name],
                pods=pods[name],
                ready=ready[name],
                wanted=wanted,
                exhausted=exhausted.get(name, 0),
            )
            status = pool_status(pool, facts, now)
            if status != pool.status:
                await self._writer.pool_status(name, pool.metadata.resource_version, status)

    async def sweep(self, cluster: Cluster, workers: Mapping[str, WorkerState]) -> None:
        """Remove the Leases of workers that never come back and have nothing. Raises likewise."""
        holding = {camera.worker for camera in cluster.cameras.values()}
        holding |= {camera.previous for camera in cluster.cameras.values()}
        for name, worker in workers.items():
            gone = worker.life is Life.GONE and name not in cluster.pods and name not in holding
            head = cluster.head(Kind.LEASE, name)
            if gone and head is not None:
                await self._writer.remove_lease(name, head.resource_version)


_GRANTS: Mapping[str, Resource] = {one.plural: one for one in (ROLES, ROLE_BINDINGS)}


def _by_pool(cluster: Cluster) -> Mapping[str, list[CameraState]]:
    members: dict[str, list[CameraState]] = defaultdict(list)
    for camera in cluster.cameras.values():
        if not camera.deleting:
            members[camera.pool].append(camera)
    return members


def _busy(cameras: Iterable[CameraState], workers: Mapping[str, WorkerState], pool: str) -> int:
    """One more than the highest ordinal of the pool that is alive and has a camera."""
    holding = {name for camera in cameras for name in (camera.worker, camera.previous)}
    return max(
        (
            one.ordinal + 1
            for one in workers.values()
            if one.pool == pool and one.numbered and one.captures and one.name in holding
        ),
        default=0,
    )
