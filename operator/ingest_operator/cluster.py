"""The operator's copy of the cluster: what handlers, sweeps and its own writes saw last.

Of two versions of an object the newer one counts, whoever brought it and in whichever order; so
events may be doubled, delayed and reordered. One event loop. Never asks the API server anything.
"""

import time
from collections.abc import Callable, Mapping
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
from ingest_operator.state import CameraState, Meta, camera_state
from ingest_operator.workers import WorkerLease

log: structlog.stdlib.BoundLogger = structlog.get_logger()

_DEFAULT_LEASE_SECONDS: Final = 10.0


class Kind(StrEnum):
    """What is watched."""

    CAMERA = "cameras"
    POOL = "camerapools"
    LEASE = "leases"
    POD = "pods"


class _Headed(msgspec.Struct, frozen=True):
    metadata: Meta


class Cluster:
    """Owner of the copy.

    Args:
        changed: Called when something changed that a plan could depend on.
        now: Seconds of the clock by which Leases are timed.
    """

    def __init__(
        self, changed: Callable[[], None], now: Callable[[], float] = time.monotonic
    ) -> None:
        self._changed = changed
        self._now = now
        self._heads: dict[Kind, dict[str, Meta]] = {kind: {} for kind in Kind}
        self._cameras: dict[str, CameraState] = {}
        self._pools: dict[str, CameraPool] = {}
        self._leases: dict[str, WorkerLease] = {}
        self._pods: dict[str, Pod] = {}
        self.cameras: Final[Mapping[str, CameraState]] = self._cameras
        self.pools: Final[Mapping[str, CameraPool]] = self._pools
        self.leases: Final[Mapping[str, WorkerLease]] = self._leases
        self.pods: Final[Mapping[str, Pod]] = self._pods
        self.pending = 0  # objects that changed since the last pass began
        self._lease_heard = now()

    @property
    def silence(self) -> float:
        """Seconds since a Lease was last seen to change: there is always one that does."""
        return self._now() - self._lease_heard

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
        head = msgspec.convert(raw, _Headed).metadata
        there = self._heads[kind].get(head.name)
        if there is not None and version(head.resource_version) <= version(there.resource_version):
            return
        self._heads[kind][head.name] = head
        try:
            changed = self._take(kind, head.name, raw)
        except msgspec.ValidationError as error:
            log.warning("object_unreadable", kind=kind.value, name=head.name, error=str(error))
            return
        if changed:
            self._tell()

    def gone(self, kind: Kind, name: str, at: int) -> None:
        """Forget an object that was deleted at a version, unless it was made anew since.

        Args:
            kind: Of the object.
            name: Its name.
            at: Version at which it was not there.
        """
        there = self._heads[kind].get(name)
        if there is None or version(there.resource_version) > at:
            return
        del self._heads[kind][name]
        copies: dict[Kind, dict[str, Any]] = {
            Kind.CAMERA: self._cameras,
            Kind.POOL: self._pools,
            Kind.LEASE: self._leases,
            Kind.POD: self._pods,
        }
        if copies[kind].pop(name, None) is not None:
            self._tell()

    def _take(self, kind: Kind, name: str, raw: Any) -> bool:
        """Is it another one, as far as a plan goes?"""
        match kind:
            case Kind.CAMERA:
                camera = camera_state(raw)
                before = self._cameras.get(name)
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

    def _take_lease(self, name: str, lease: Lease) -> bool:
        self._lease_heard = self._now()
        pool = (lease.metadata.labels or {}).get(names.LABEL_POOL)
        if pool is None:
            return False  # the operator's own
        now = self._now()
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
