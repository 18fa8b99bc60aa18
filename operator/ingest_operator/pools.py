"""Keep what each pool is made of: apply what differs, say how it is, remove what is no more.

What was applied is remembered, and forgotten at each resync, so that drift is repaired then; drift
of a StatefulSet, which is watched, at once. What is refused, not answered, or changed again by
somebody each time that it is repaired, is tried ever more rarely, and holds up nothing else: a
webhook that fails for one kind of object is no matter of the others, nor of cameras.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from math import inf
from typing import Any, Final, TypeVar

import msgspec
import structlog

from ingest_core import names
from ingest_core.errors import ApiRefused, ApiUnavailable
from ingest_core.kube.client import Api
from ingest_core.kube.informer import Page
from ingest_core.kube.resources import (
    LEASES,
    POOLS,
    ROLE_BINDINGS,
    ROLES,
    STATEFUL_SETS,
    Resource,
)
from ingest_core.model import Metadata
from ingest_operator import autoscale
from ingest_operator.cluster import Cluster, Kind
from ingest_operator.manifests import Manifest, manifests, selector_text
from ingest_operator.ownership import belongs
from ingest_operator.plan import Lack
from ingest_operator.pool_status import PoolFacts, pool_status
from ingest_operator.refusals import Refusals
from ingest_operator.settings import OperatorSettings
from ingest_operator.state import CameraState, Headed, Life, Meta, WorkerState, ordinal_of
from ingest_operator.writer import Writer

log: structlog.stdlib.BoundLogger = structlog.get_logger()

PASS_SECONDS: Final = 2.0  # of applying, after which cameras are looked at again
REMOVED: Final = "removed"  # what is asked of an object that is to go

Key = tuple[str, str]
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class _Applied:
    """What was asked for, and the revision that it made."""

    body: Mapping[str, Any]
    revision: tuple[str, int]


_UNKNOWN = _Applied({}, ("", 0))  # whatever is there was not applied by this process


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
        self._ours: set[tuple[str, Key]] = set()  # objects that are a pool's, by the pool's uid
        self._listed: set[str] = set()  # pools of which all that is granted is known
        self._forgotten = False  # all of it, before the next pass
        self._until = inf  # when this pass is to be cut
        self._cut: str | None = None  # the pool in which the last one was
        self._refusals: Refusals[Key] = Refusals()

    @property
    def again(self) -> float:
        """When something that rests is to be tried again, in monotonic seconds; infinite: never."""
        return self._now() if self._cut is not None else self._refusals.next(self._now())

    def forget(self) -> None:
        """Apply everything again at the next pass; one that goes on ends as it began."""
        self._forgotten = True

    async def objects(
        self, cluster: Cluster, replicas: Mapping[str, int], workers: Mapping[str, WorkerState]
    ) -> None:
        """Apply what a pool is made of, where it differs from what was applied.

        Raises:
            NotLeading: This process could not renew its Lease in time.
        """
        if self._forgotten:
            self._forgotten = False
            self._applied.clear()
            self._listed.clear()
            self._refusals.keep(())
        members = _by_pool(cluster)
        self._until = self._now() + PASS_SECONDS
        first, self._cut = self._cut or "", None
        asked = {(LEASES.plural, name) for name in workers}
        for name in sorted(replicas, key=lambda name: (name < first, name)):
            asked |= {(POOLS.plural, name), _grants_of(name)}
            pool = cluster.pools.get(name)
            if pool is None:  # deleted while others were written
                continue
            secrets = {secret for camera in members[name] for secret in camera.secrets}
            running = autoscale.kept(replicas[name], _busy(cluster.cameras.values(), workers, name))
            made = manifests(pool, self._settings, running, secrets, _pods(cluster, name))
            await self._objects(pool.metadata, made, cluster)
            asked |= {*map(_key, made), *self._applied[name]}
        self._refusals.keep(asked)
        self._listed &= replicas.keys()
        uids = {pool.metadata.uid for pool in cluster.pools.values()}
        self._ours = {one for one in self._ours if one[0] in uids}
        for name in self._applied.keys() - replicas.keys():
            del self._applied[name]

    async def _objects(self, head: Metadata, made: Iterable[Manifest], cluster: Cluster) -> None:
        pool = head.name
        applied = self._applied.setdefault(pool, {})
        await self._list(pool, applied)
        for manifest in made:
            key = _key(manifest)
            before = applied.get(key, _UNKNOWN)
            if before.body == manifest.body and not _drifted(cluster, manifest, before):
                continue
            if not self._is_due(pool, key, manifest.body):
                continue
            there = await self._answered(key, manifest.body, self._apply(manifest, head))
            if there is not None:
                if before.body == manifest.body:
                    self._refusals.refused(key, manifest.body, self._now())
                applied[key] = _Applied(manifest.body, there.revision)
        for key in sorted(applied.keys() - set(map(_key, made))):  # a RoleBinding before its Role
            plural, one = key
            if not self._is_due(pool, key, REMOVED):
                continue
            removed = self._writer.remove(_GRANTS[plural], one, applied[key].revision[0])
            if await self._answered(key, REMOVED, removed):
                del applied[key]

    async def _apply(self, manifest: Manifest, pool: Metadata) -> Meta | None:
        """As `Writer.manifest`, of what is the pool's or nobody's."""
        one = pool.uid, _key(manifest)
        if one not in self._ours:
            found = await self._writer.found(manifest.resource, manifest.name)
            if found is not None and not belongs(found, pool.name, pool.uid):
                log.error(
                    "object_of_somebody_else",
                    resource=manifest.resource.plural,
                    name=manifest.name,
                    pool=pool.name,
                    what_to_do="delete or rename it, or give the CameraPool another name",
                )
                return None
        made = await self._writer.manifest(manifest)
        if made is not None:
            self._ours.add(one)
        return made

    def _is_due(self, pool: str, key: Key, state: object) -> bool:
        """Is something to be tried now? In a pass that lasted too long, nothing more is."""
        now = self._now()
        if self._refusals.rests(key, state, now):
            return False
        if self._cut is None and now > self._until:
            self._cut = pool
        return self._cut is None

    async def _answered(
        self, key: Key, state: object, asked: Awaitable[Answer | None]
    ) -> Answer | None:
        """What was answered; falsy: nothing, or no, and it rests.

        A server that answers 500 may be one whose webhook fails for this object alone.
        """
        try:
            answer = await asked
        except (ApiUnavailable, ApiRefused) as error:
            log.warning("object_delayed", resource=key[0], name=key[1], error=str(error))
            answer = None
        if not answer:
            self._refusals.refused(key, state, self._now())
        return answer

    async def _list(self, pool: str, applied: dict[Key, _Applied]) -> None:
        """Learn once what was granted; without that, all can be applied and nothing removed."""
        key = _grants_of(pool)
        if pool in self._listed or not self._is_due(pool, key, None):
            return
        there = await self._answered(key, None, self._there(pool))
        if there is not None:
            self._listed.add(pool)
            for one, uid in there.items():
                applied.setdefault(one, _Applied({}, (uid, 0)))

    async def _there(self, pool: str) -> Mapping[Key, str]:
        """The Roles and RoleBindings of a pool, which must not outlive their reason, by uid."""
        found = {}
        for resource in _GRANTS.values():
            page = msgspec.json.decode(
                await self._api.get(resource, labelSelector=selector_text(pool)), type=Page
            )
            for raw in page.items:
                head = msgspec.json.decode(raw, type=Headed).metadata
                found[resource.plural, head.name] = head.uid
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
            await self._answered(key, version, self._writer.pool_status(name, version, status))

    async def sweep(self, cluster: Cluster, workers: Mapping[str, WorkerState]) -> None:
        """Remove the Leases of workers that never come back and have nothing. Raises likewise."""
        holding = {camera.worker for camera in cluster.cameras.values()}
        holding |= {camera.previous for camera in cluster.cameras.values()}
        for name, worker in workers.items():
            gone = worker.life is Life.GONE and name not in cluster.pods and name not in holding
            head = cluster.head(Kind.LEASE, name)
            key = LEASES.plural, name
            if gone and head is not None and not self._refusals.rests(key, REMOVED, self._now()):
                removed = self._writer.remove_lease(name, head.resource_version)
                await self._answered(key, REMOVED, removed)


_GRANTS: Mapping[str, Resource] = {one.plural: one for one in (ROLES, ROLE_BINDINGS)}


def _grants_of(pool: str) -> Key:
    """Stands for the list of what a pool grants."""
    return ROLES.plural, f"of {pool}"


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
