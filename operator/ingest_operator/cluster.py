"""The operator's copy of the cluster: what handlers, sweeps and its own writes saw last.

Of two versions of an object the newer one counts, its end included, whoever brought it and in
whichever order; so events may be doubled, delayed and reordered. One event loop. Never asks the API
server anything.
"""

import re
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace
from enum import StrEnum
from typing import Any, Final

import msgspec
import structlog

from ingest_core import lenient, names
from ingest_core.kube.informer import version
from ingest_core.kube.leases import Lease, seen
from ingest_core.kube.pods import Pod
from ingest_core.pool import CameraPool
from ingest_operator.predecessors import Predecessors
from ingest_operator.sight import SightedClock
from ingest_operator.state import CameraState, Headed, Meta, camera_state
from ingest_operator.workers import WorkerLease

log: structlog.stdlib.BoundLogger = structlog.get_logger()

_DEFAULT_LEASE_SECONDS: Final = 10.0
_ENDS: Final = 1000  # of a kind, that are remembered: what comes after an end comes soon


class Kind(StrEnum):
    """What is watched."""

    CAMERA = "cameras"
    POOL = "camerapools"
    LEASE = "leases"
    POD = "pods"
    STATEFUL_SET = "statefulsets"


class Cluster:
    """Owner of the copy.

    Args:
        changed: Called when something changed that a plan could depend on.
        now: Monotonic seconds, less those for which the API server was out of sight.
        patience: Seconds without news of Leases that mean nothing: the leader's own is renewed.

    Attributes:
        clock: By which Leases are timed: it stands still also while their watch tells nothing.
        cameras: As they could be read last: one that cannot be read any more has its room and its
            id still.
        unreadable_cameras: Those of which the newest version cannot be read, by name: what is
            decided of them is decided of the past.
    """

    def __init__(
        self, changed: Callable[[], None], now: Callable[[], float], patience: float
    ) -> None:
        self._changed = changed
        self._now = now
        self.clock: Final = SightedClock(patience, now)
        self._heads: dict[Kind, dict[str, Meta]] = {kind: {} for kind in Kind}
        self._reached = dict.fromkeys(Kind, 0)
        self._ends: dict[Kind, dict[str, int]] = {kind: {} for kind in Kind}  # version, by name
        self._cameras: dict[str, CameraState] = {}
        self._pools: dict[str, CameraPool] = {}
        self._leases: dict[str, WorkerLease] = {}
        self._pods: dict[str, Pod] = {}
        self._stateful_sets: dict[str, Meta] = {}
        self._predecessors = Predecessors()
        self._unreadable: set[str] = set()  # cameras
        self._orphans: set[str] = set()  # workers whose Lease was deleted before it ran out
        self.cameras: Final[Mapping[str, CameraState]] = self._cameras
        self.predecessors: Final = self._predecessors.workers
        self.pools: Final[Mapping[str, CameraPool]] = self._pools
        self.leases: Final[Mapping[str, WorkerLease]] = self._leases
        self.pods: Final[Mapping[str, Pod]] = self._pods
        self.unreadable_cameras: Final[AbstractSet[str]] = self._unreadable
        self.stateful_sets: Final[Mapping[str, Meta]] = self._stateful_sets
        self.pending = 0  # objects that changed since the last pass began
        self._lease_heard = now()

    @property
    def silence(self) -> float:
        """Seconds since a Lease was last seen to change: there is always one that does."""
        return self._now() - self._lease_heard

    @property
    def version(self) -> int:
        """The newest that was seen of any Camera, ends included."""
        return self._reached[Kind.CAMERA]

    @property
    def unreadable_pools(self) -> frozenset[str]:
        """Pools that are there, and of which nothing else can be known."""
        return frozenset(self._heads[Kind.POOL].keys() - self._pools.keys())

    def head(self, kind: Kind, name: str) -> Meta | None:
        """Name, uid and version of what is known."""
        return self._heads[kind].get(name)

    def known(self, kind: Kind) -> Mapping[str, Meta]:
        """Everything of a kind that is known, by name."""
        return self._heads[kind]

    def see(self, kind: Kind, raw: Any) -> None:
        """Take an object over, unless what is known is newer.

        Args:
            kind: Of the object.
            raw: As its JSON was decoded.
        """
        head = msgspec.convert(raw, Headed).metadata
        self.reached(kind, version(head.resource_version))
        there = self._heads[kind].get(head.name)
        known = version(there.resource_version) if there else self._ends[kind].get(head.name, -1)
        if version(head.resource_version) <= known:
            return
        self._ends[kind].pop(head.name, None)
        self._heads[kind][head.name] = head
        try:
            changed = self._take(kind, head.name, raw)
        except msgspec.ValidationError as error:
            if kind is Kind.CAMERA:
                self._unreadable.add(head.name)
            log.warning("object_unreadable", kind=kind.value, name=head.name, error=str(error))
            return
        if kind is Kind.CAMERA:
            self._unreadable.discard(head.name)
        if changed:
            self._tell()

    def gone(self, kind: Kind, name: str, at: int) -> None:
        """Forget an object that was deleted at a version, unless it was made anew since.

        Of a Lease that counts, only the object is gone: its worker captures, and nothing fences it.
        It is believed in until the Lease would have run out.

        Args:
            kind: Of the object.
            name: Its name.
            at: Version at which it was not there.
        """
        self.reached(kind, at)
        there, ends = self._heads[kind].get(name), self._ends[kind]
        if there is not None and version(there.resource_version) > at:
            return
        ends[name] = max(at, ends.pop(name, at))
        if len(ends) > _ENDS:
            del ends[next(iter(ends))]
        if there is None:
            return
        del self._heads[kind][name]
        if kind is Kind.CAMERA:
            self._unreadable.discard(name)
            if name in self._cameras:
                self._predecessors.ended(self._cameras[name])
        if kind is Kind.LEASE and self._is_alive(name):
            self._orphans.add(name)
            return
        copies: dict[Kind, dict[str, Any]] = {
            Kind.CAMERA: self._cameras,
            Kind.POOL: self._pools,
            Kind.LEASE: self._leases,
            Kind.POD: self._pods,
            Kind.STATEFUL_SET: self._stateful_sets,
        }
        if copies[kind].pop(name, None) is not None:
            self._tell()

    def reached(self, kind: Kind, at: int) -> None:
        """Everything of a kind was seen at this version, or one of it was."""
        self._reached[kind] = max(self._reached[kind], at)

    def _take(self, kind: Kind, name: str, raw: Any) -> bool:
        """Is it another one, as far as a plan goes?"""
        match kind:
            case Kind.CAMERA:
                camera = camera_state(raw)
                before = self._cameras.get(name)
                if before is not None and before.uid != camera.uid:
                    self._predecessors.ended(before)
                self._cameras[name] = camera
                return before is None or replace(before, version=camera.version) != camera
            case Kind.POOL:
                self._pools[name] = lenient.convert(raw, CameraPool)
                return True
            case Kind.LEASE:
                return self._take_lease(name, msgspec.convert(raw, Lease))
            case Kind.POD:
                pod, there = msgspec.convert(raw, Pod), self._pods.get(name)
                self._pods[name] = pod
                return there is None or (there.ready, there.terminating) != (
                    pod.ready,
                    pod.terminating,
                )
            case Kind.STATEFUL_SET:
                return self._take_stateful_set(msgspec.convert(raw, Headed).metadata)

    def _take_stateful_set(self, made: Meta) -> bool:
        """Its status changes all the time, and says nothing that its pods do not."""
        there = self._stateful_sets.get(made.name)
        self._stateful_sets[made.name] = made
        return there is None or there.revision != made.revision

    def _take_lease(self, name: str, lease: Lease) -> bool:
        """There is always news of Leases, so what ran out is swept with it."""
        self._lease_heard = self._now()
        self.clock.heard()
        self._orphans.discard(name)
        swept = self._sweep_orphans()
        return self._take_worker(name, lease) or swept

    def _is_alive(self, worker: str) -> bool:
        lease = self._leases.get(worker)
        return lease is not None and lease.seen.alive(self.clock())

    def _sweep_orphans(self) -> bool:
        """Forget workers whose deleted Lease has run out; was there any?"""
        ended = {name for name in self._orphans if not self._is_alive(name)}
        for name in ended:
            del self._leases[name]
        self._orphans -= ended
        return bool(ended)

    def _take_worker(self, name: str, lease: Lease) -> bool:
        pool = (lease.metadata.labels or {}).get(names.LABEL_POOL)
        if pool is None or not re.match(names.WORKER_NAME_PATTERN, name):
            return False  # the operator's own, or a name that no assignment can hold
        now = self.clock()
        before = self._leases.get(name)
        last = None if before is None else before.seen
        found = WorkerLease(
            name, pool, seen(last, lease, now, _DEFAULT_LEASE_SECONDS), lease.draining
        )
        self._leases[name] = found
        return (
            before is None
            or before.draining != found.draining
            or before.pool != found.pool
            or before.seen.holder != found.seen.holder
            or not before.seen.alive(now)
        )

    def _tell(self) -> None:
        self.pending += 1
        self._changed()
