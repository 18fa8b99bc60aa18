"""Tell how each worker is, from its Lease, its Pod and its pool. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ingest_core.kube.leases import Seen
from ingest_operator.state import UNNUMBERED, Life, WorkerState, ordinal_of

FORGOTTEN_SECONDS: Final = 3600.0  # after which nobody is expected back whom no StatefulSet brings


@dataclass(frozen=True, slots=True)
class WorkerLease:
    """A worker's Lease, as it was last observed."""

    worker: str
    pool: str
    seen: Seen
    draining: bool


def workers(
    leases: Mapping[str, WorkerLease],
    ending: frozenset[str],
    replicas: Mapping[str, int],
    now: float,
) -> Mapping[str, WorkerState]:
    """Every worker that has a Lease, by name.

    Args:
        leases: By worker.
        ending: Names of Pods that are being deleted.
        replicas: How many workers each pool should have, by its name.
        now: Monotonic seconds, of the clock by which the Leases were observed.
    """
    found = {}
    for name, lease in leases.items():
        ordinal = ordinal_of(name, lease.pool)
        wanted = replicas.get(lease.pool, 0)
        scaled_in = lease.pool not in replicas or (ordinal is not None and ordinal >= wanted)
        if lease.seen.alive(now):
            leaving = scaled_in or lease.draining or name in ending
            life = Life.LEAVING if leaving else Life.OPEN
        else:
            forgotten = ordinal is None and now >= lease.seen.at + FORGOTTEN_SECONDS
            life = Life.GONE if scaled_in or forgotten else Life.LOST
        found[name] = WorkerState(
            name, lease.pool, UNNUMBERED if ordinal is None else ordinal, life
        )
    return found


def next_expiry(leases: Mapping[str, WorkerLease], now: float) -> float | None:
    """When, at the earliest, a worker that is alive now will be lost; None: none is."""
    return min(
        (one.seen.at + one.seen.duration for one in leases.values() if one.seen.alive(now)),
        default=None,
    )
