"""Leases as values, and whose have run out. Pure: the clock comes in as an argument.

A renewal counts from when it was observed, by the observer's own monotonic clock: what the holder
wrote as its time is for people. So no two clocks need to agree (as in client-go's leader election).
"""

from dataclasses import dataclass

from msgspec import Struct

from ingest_core import names
from ingest_core.model import Metadata


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
