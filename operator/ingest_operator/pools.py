"""Keep what each pool is made of: apply what differs, say how it is, remove what is no more.

What was applied is remembered, and forgotten at each resync, so that drift is repaired then; drift
of a StatefulSet, which is watched, at once. What is refused, or changed again by somebody each time
that it is repaired, is tried ever more rarely.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import structlog

from ingest_core import names
from ingest_core.kube.client import Api
from ingest_core.kube.informer import Page
from ingest_core.kube.resources import POOLS, ROLE_BINDINGS, ROLES, STATEFUL_SETS, Resource
from ingest_operator import autoscale
from ingest_operator.cluster import Cluster, Kind
from ingest_operator.manifests import Manifest, manifests, selector_text
from ingest_operator.plan import Lack
from ingest_operator.pool_status import PoolFacts, pool_status
from ingest_operator.refusals import Refusals
from ingest_operator.settings import OperatorSettings
from ingest_operator.state import CameraState, Life, Meta, WorkerState, ordinal_of
from ingest_operator.writer import Writer

log: structlog.stdlib.BoundLogger = structlog.get_logger()

Key = tuple[str, str]


class _Headed(msgspec.Struct, frozen=True):
    metadata: Meta


@dataclass(frozen=True, slots=True)
class _Applied:
    """What was asked for, and the revision that it made."""

    body: Mapping[str, Any]
    revision: tuple[str, int]


_UNKNOWN = _Applied({}, ("", 0))  # it is there, and was not applied by this process


class Pools:
    """Owner of what was applied, by pool and by resource and name."""

    def __init__(
        self,
        api: Api,
        writer: Writer,
        settings: OperatorSettings,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._api = api
        self._writer = writer
        self._settings = settings
        self._now = now
        self._applied: dict[str, dict[Key, _Applied]] = {}
        self._refusals: Refusals[Key] = Refusals()

    @property
    def again(self) -> float:
        """When something that rests is to be tried again, in monotonic seconds; infinite: never."""
        return self._refusals.next(self._now())

    def forget(self) -> None:
        """Apply everything again at the next pass."""
        self._applied.clear()
        self._refusals.keep(())

    async def objects(
        self, cluster: Cluster, replicas: Mapping[str, int], workers: Mapping[str, WorkerState]
    ) -> None:
        """Apply what a pool is made of, where it differs from what was applied.

        Raises:
            ApiUnavailable: The server is away.
            NotLeading: This process could not renew its Lease in time.
        """
        members = _by_pool(cluster)
        asked = {(POOLS.plural, name) for name in replicas}
        for name, wanted in replicas.items():
            pool = cluster.pools.get(name)
            if pool is None:  # deleted while others were written
                continue
            secrets = {secret for camera in members[name] for secret in camera.secrets}
            running = autoscale.kept(wanted, _busy(cluster.cameras.values(), workers, name))
            made = manifests(pool, self._settings, running, secrets, _pods(cluster, name))
            asked |= {_key(one) for one in made}
            await self._objects(name, made, cluster)
        self._refusals.keep(asked)
        for name in self._applied.keys() - replicas.keys():
            del self._applied[name]

    async def _objects(self, pool: str, made: Iterable[Manifest], cluster: Cluster) -> None:
        applied = self._applied.get(pool)
        if applied is None:
            applied = self._applied[pool] = dict.fromkeys(await self._there(pool), _UNKNOWN)
        for manifest in made:
            key = _key(manifest)
            before = applied.get(key, _UNKNOWN)
            if before.body == manifest.body and not _drifted(cluster, manifest, before):
                continue
            if self._refusals.rests(key, manifest.body, self._now()):
                continue
            there = await self._writer.manifest(manifest)
            if there is None or before.body == manifest.body:
                self._refusals.refused(key, manifest.body, self._now())
            if there is not None:
                applied[key] = _Applied(manifest.body, there.revision)
        for key in sorted(applied.keys() - set(map(_key, made))):  # a RoleBinding before its Role
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
        exhausted: Mapping[str, Lack],
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
                lack=exhausted.get(name, Lack()),
            )
            status = pool_status(pool, facts, now)
            key, version = (POOLS.plural, name), pool.metadata.resource_version
            if status == pool.status or self._refusals.rests(key, version, self._now()):
                continue
            if not await self._writer.pool_status(name, version, status):
                self._refusals.refused(key, version, self._now())

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


def _key(manifest: Manifest) -> Key:
    return manifest.resource.plural, manifest.name


def _drifted(cluster: Cluster, manifest: Manifest, applied: _Applied) -> bool:
    """Is a StatefulSet another one than the one that was applied?"""
    if manifest.resource is not STATEFUL_SETS:
        return False
    there = cluster.stateful_sets.get(manifest.name)
    return there is None or there.revision != applied.revision


def _pods(cluster: Cluster, pool: str) -> int:
    """One more than the highest number of a pod of the pool that is there."""
    ordinals = (ordinal_of(name, pool) for name in cluster.pods)
    return 1 + max((number for number in ordinals if number is not None), default=-1)


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
