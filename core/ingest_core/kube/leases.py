"""Leases as values, and whose have run out. Pure: the clock comes in as an argument.

A renewal counts from when it was observed, by the observer's own monotonic clock: what the holder
wrote as its time is for people. So no two clocks need to agree (as in client-go's leader election).
Only processes of one pod, which have one monotonic clock, read each other's times: see `Holding`.
"""

from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Holding:
    """For how long somebody has held a Lease without a lapse, by the clock of its machine.

    Attributes:
        boot: Of the machine: unique for each time that it was started.
        since: Monotonic seconds at which the holding began.
        renewed: At which the last renewal was sent that its holder knows to be written.
    """

    boot: str
    since: float
    renewed: float

    def __str__(self) -> str:
        return f"{self.boot} {self.since:.3f} {self.renewed:.3f}"

    @staticmethod
    def parse(text: str) -> "Holding | None":
        """None: it is none."""
        try:
            boot, since, renewed = text.split(" ")
            return Holding(boot, float(since), float(renewed))
        except ValueError:
            return None


class Lease(Struct, frozen=True, kw_only=True, rename="camel"):
    """A coordination.k8s.io/v1 Lease."""

    metadata: Metadata
    spec: LeaseSpec = LeaseSpec()
    api_version: str = "coordination.k8s.io/v1"
    kind: str = "Lease"

    @property
    def draining(self) -> bool:
        """Does its worker ask to be relieved of its cameras?"""
        return self._annotation(names.ANNOTATION_DRAINING) == "true"

    @property
    def settling(self) -> float:
        """Seconds for which, when it was renewed, one that held it before could act by it still."""
        text = self._annotation(names.ANNOTATION_SETTLING)
        return float(text) if text.isdecimal() else 0.0

    @property
    def holding(self) -> Holding | None:
        """What its holder said when it renewed it, for a successor in its pod."""
        return Holding.parse(self._annotation(names.ANNOTATION_HOLDING))

    def _annotation(self, key: str) -> str:
        return str((self.metadata.annotations or {}).get(key, ""))


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


def inherited(lease: Lease, pod: str | None, boot: str, now: float) -> Holding | None:
    """What a process goes on with of the one before it in its pod; None: it begins anew.

    Args:
        lease: As it is found.
        pod: How identities of the taker's own pod begin; None: it is in none.
        boot: Of the taker's machine.
        now: Monotonic seconds.
    """
    found = lease.holding
    if found is None or not _of_pod(lease.spec.holder_identity, pod) or lease.settling > 0:
        return None
    past = found.since <= now and found.renewed <= now
    return found if past and found.boot == boot else None


def _of_pod(holder: str | None, pod: str | None) -> bool:
    return holder is not None and pod is not None and holder.startswith(pod)


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
