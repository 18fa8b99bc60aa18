"""Leases as values, and whose have run out. Pure: the clock comes in as an argument.

A renewal counts from when it was observed, by the observer's own monotonic clock: what the holder
wrote as its time is for people. So no two clocks need to agree (as in client-go's leader election).
Only processes of one pod, which have one clock, read each other's times: see `inherited`.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from msgspec import Struct

from ingest_core import names
from ingest_core.errors import InvalidManifest, Problem
from ingest_core.model import Metadata

LONGEST_SECONDS: Final = 300  # no Lease of ours counts for longer


class LeaseSpec(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """The part of a coordination.k8s.io/v1 LeaseSpec that we use."""

    holder_identity: str | None = None
    lease_duration_seconds: int | None = None
    acquire_time: str | None = None
    renew_time: str | None = None
    lease_transitions: int | None = None


class Lease(Struct, frozen=True, kw_only=True, rename="camel"):
    """A coordination.k8s.io/v1 Lease."""

    metadata: Metadata
    spec: LeaseSpec = LeaseSpec()
    api_version: str = "coordination.k8s.io/v1"
    kind: str = "Lease"

    @property
    def draining(self) -> bool:
        """Does its worker ask to be relieved of its cameras?"""
        annotations = self.metadata.annotations or {}
        return annotations.get(names.ANNOTATION_DRAINING) == "true"

    @property
    def settling(self) -> float:
        """Seconds for which, when it was renewed, one that held it before could act by it still."""
        text = str((self.metadata.annotations or {}).get(names.ANNOTATION_SETTLING, ""))
        return float(text) if text.isdecimal() else 0.0


@dataclass(frozen=True, slots=True)
class Seen:
    """A renewal, and the observer's monotonic time at which it was first seen."""

    holder: str | None
    renewed: str | None
    duration: float
    at: float

    def alive(self, now: float) -> bool:
        """Is it held, and renewed within its duration?"""
        return bool(self.holder) and now < self.at + self.duration


def seen(before: Seen | None, lease: Lease, now: float, default_seconds: float) -> Seen:
    """What is known of a Lease after looking at it: the same renewal is as old as it was."""
    spec = lease.spec
    duration = float(spec.lease_duration_seconds or default_seconds)
    if before is not None and (before.holder, before.renewed) == (
        spec.holder_identity,
        spec.renew_time,
    ):
        return Seen(before.holder, before.renewed, duration, before.at)
    return Seen(spec.holder_identity, spec.renew_time, duration, now)


def outlives(lease: Lease, pod: str | None, default_seconds: float) -> float:
    """Seconds for which somebody may act by a Lease that is taken away now; 0: nobody can.

    Who let go of it cannot, nor can an earlier container of the taker's own pod: a kubelet starts
    the next one when the last one has ended. Anybody else may not have heard yet, and counts on
    for as long as the Lease does. So may one that the last holder itself was waiting for.

    Args:
        lease: As it is found.
        pod: How identities of the taker's own pod begin; None: it is in none.
        default_seconds: Of a Lease that does not say for how long it counts.
    """
    holder, said = lease.spec.holder_identity, lease.spec.lease_duration_seconds
    dead = not holder or _of_pod(holder, pod)
    duration = 0.0 if dead else float(said or default_seconds)
    return min(max(duration, lease.settling), LONGEST_SECONDS)


@dataclass(frozen=True, slots=True)
class Inherited:
    """A holding that an earlier process of the taker's own pod began, and the taker goes on with.

    Attributes:
        lasted: Seconds for which it has gone on.
        left: Seconds for which it goes on without a renewal; over 0.
    """

    lasted: float
    left: float


def inherited(lease: Lease, pod: str | None, wall: float, counts: float) -> Inherited | None:
    """What a process inherits from the one before it in its pod; None: it begins a holding.

    The two have one clock, that of their node. So a renewal in time goes on with the holding as if
    the process had never ended: whoever counts by the Lease cannot tell.

    Args:
        lease: As it is found.
        pod: How identities of the taker's own pod begin; None: it is in none.
        wall: Unix seconds.
        counts: Of a Lease's duration, the part for which a renewal counts for its holder.
    """
    spec = lease.spec
    acquired, renewed = unix_seconds(spec.acquire_time), unix_seconds(spec.renew_time)
    if not _of_pod(spec.holder_identity, pod) or lease.settling > 0:
        return None
    if acquired is None or renewed is None or not acquired <= renewed <= wall:
        return None  # the clock was set back, or somebody else wrote it
    left = renewed + counts * (spec.lease_duration_seconds or 0) - wall
    return Inherited(wall - acquired, left) if left > 0 else None


def micro_time(unix: float) -> str:
    """A metav1.MicroTime."""
    return datetime.fromtimestamp(unix, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def unix_seconds(micro_time: str | None) -> float | None:
    """Of a metav1.MicroTime; None: it is none."""
    try:
        return datetime.fromisoformat(micro_time or "").timestamp()
    except ValueError:
        return None


def _of_pod(holder: str | None, pod: str | None) -> bool:
    return bool(holder) and pod is not None and str(holder).startswith(pod)


def demand_room(duration: int, renew: int) -> None:
    """Check the settings of a Lease, by the rule that crds/camerapool.yaml has for a pool's.

    Raises:
        InvalidManifest: One lost renewal would cost the Lease.
    """
    if renew * 2 >= duration:
        rule = (
            f"must be less than half of --lease-duration-seconds, which is {duration}, "
            "so that one lost renewal costs nothing"
        )
        raise InvalidManifest(Problem("lease_renew_seconds", str(renew), rule))
