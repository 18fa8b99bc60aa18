"""Hold a Lease: renew it, know by our own monotonic clock until when that counts, let go of it.

`until` counts from before the renewal was sent, and ends before the Lease does, so it is over for
us earlier than for anybody who watches. Two ways to get one: a candidate waits until its holder has
run out; a worker takes the Lease of its own name at once. Its predecessor is dead, as a rule. Where
that is not known, the new term says from when on nobody acts by the Lease but its holder. Where it
was a process of the same pod and renewed the Lease a moment ago, its term goes on.
"""

import asyncio
import math
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final, Never

import msgspec
import structlog

from ingest_core import lenient, names
from ingest_core.errors import ApiConflict, ApiNotFound, ApiRefused, ApiUnavailable, LeaseLost
from ingest_core.kube.client import Api
from ingest_core.kube.leases import (
    Holding,
    Lease,
    LeaseSpec,
    Seen,
    inherited,
    outlives,
    seen,
)
from ingest_core.kube.resources import LEASES

FENCE: Final = 0.8  # of a Lease's duration, after which a holder that could not renew stands back
_HERITABLE: Final = 0.9  # of it, in which a successor of the same pod can go on with a holding
_TRY: Final = 0.4  # of it, for which one try may take: a dead connection must not cost the Lease
_RETRY_SECONDS: Final = 0.5
_OURS: Final = f"{names.API_GROUP}/"  # annotations that only a holder writes

log: structlog.stdlib.BoundLogger = structlog.get_logger()


class Term:
    """A time for which a Lease was held without a lapse. Written by its holder, read by any thread.

    Once it is over it is over for ever: whoever renews the Lease then begins another one. So what
    lives by a term ends with it, even if its process slept through the end and the renewal.

    Attributes:
        since: Monotonic seconds at which it began.
        until: Monotonic seconds at which it ends, unless the Lease is renewed before.
        alone: Monotonic seconds from which on no earlier holder can act by the Lease.
    """

    def __init__(self, since: float, until: float, alone: float = -math.inf) -> None:
        self.since: Final = since
        self.until = until
        self.alone: Final = alone


class _Whole(msgspec.Struct, frozen=True):
    metadata: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Found:
    """A Lease as the server has it, and all that others wrote on it, to be written back."""

    lease: Lease
    metadata: Mapping[str, Any]

    @staticmethod
    def of(answer: bytes) -> "_Found":
        lease = lenient.decode(answer, Lease)
        metadata = msgspec.json.decode(answer, type=_Whole).metadata
        metadata.pop("managedFields", None)  # the server's own
        return _Found(lease, metadata)


class LeaseHolder:
    """Owner of one Lease, or candidate for it.

    Args:
        api: The server, and the namespace.
        name: Of the Lease.
        identity: Of this start of this process: unique for ever.
        pod: How the identities of its own pod's processes begin, which live one after the other;
            None: it is in none.
        boot: Of its machine, unique for each start of it; empty: processes begin anew.
        duration: Seconds, whole, for which a renewal counts.
        renew: Seconds between renewals.
        manager: Field manager.
        patient: Wait until another holder has run out, instead of taking it at once.
        labels: Of the Lease, when it is made.
        now: Monotonic seconds.
        draw: Evenly distributed in [0, 1).

    Attributes:
        held: Set from the first renewal on.
        dismissed: Set while the server has refused every renewal for want of rights, for so long
            that none counts any more: it knows this account no more, or has taken its rights. For a
            moment it may do so when it has just started.
    """

    def __init__(
        self,
        api: Api,
        name: str,
        identity: str,
        *,
        duration: int,
        renew: float,
        manager: str,
        patient: bool,
        pod: str | None = None,
        boot: str = "",
        labels: Mapping[str, str] | None = None,
        now: Callable[[], float] = time.monotonic,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._api = api
        self._name = name
        self._identity = identity
        self._pod = pod
        self._boot = boot
        self._duration = duration
        self._renew = renew
        self._manager = manager
        self._patient = patient
        self._labels = dict(labels or {})
        self._now = now
        self._draw = draw
        self._found: _Found | None = None
        self._seen: Seen | None = None
        self._annotations: dict[str, str] = {}
        self._wake = asyncio.Event()
        self._owed = 0.0  # seconds to settle for, from when the Lease that is being taken is ours
        self._alone = -math.inf  # monotonic: see Term
        self._inherited: Term | None = None  # of the Lease that is being taken
        self._holding: Holding | None = None  # what is said to a successor in the pod
        self.held = asyncio.Event()
        self.dismissed = asyncio.Event()
        self._refused = math.inf  # monotonic: since when the server has refused, for want of rights
        self.renewed = -math.inf  # monotonic: when the last renewal that counts was sent
        self.term = Term(-math.inf, -math.inf)

    @property
    def until(self) -> float:
        """Monotonic time until which this process may act as the holder."""
        return self.term.until

    @property
    def holds(self) -> bool:
        """May this process act as the holder at this moment?"""
        return self._now() < self.until

    def annotate(self, key: str, value: str) -> None:
        """Say something on the Lease, at once."""
        self._annotations[key] = value
        self._wake.set()

    async def run(self) -> Never:
        """Take the Lease and renew it until cancelled; a server that is away is asked again.

        Raises:
            LeaseLost: Another process took it.
        """
        failing = False
        while True:
            delay = self._renew * (0.9 + 0.2 * self._draw())
            sent = self._now()
            try:
                async with asyncio.timeout(_TRY * self._duration):
                    held = await self._step()
                self._look_at_rights(lacking=False)
                if held:
                    self._hold(sent)
                failing = False
            except ApiConflict:  # somebody else wrote it: look, and decide again
                self._found = None
                delay = _RETRY_SECONDS * self._draw()
            except (ApiUnavailable, ApiRefused, TimeoutError, msgspec.DecodeError) as error:
                self._found = None
                self._look_at_rights(lacking=_lacks_rights(error))
                if not failing:
                    why = str(error) or "timed out"
                    log.warning("lease_not_renewed", lease=self._name, error=why)
                failing = True
                delay = _RETRY_SECONDS * (0.5 + self._draw())
            try:
                async with asyncio.timeout(delay):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()

    def _look_at_rights(self, *, lacking: bool) -> None:
        self._refused = min(self._refused, self._now()) if lacking else math.inf
        if self._now() - self._refused >= self._duration:
            self.dismissed.set()
        else:
            self.dismissed.clear()

    def _hold(self, sent: float) -> None:
        now, until = self._now(), sent + FENCE * self._duration
        if self._owed:
            self._alone, self._owed = max(self._alone, now + self._owed), 0.0
        term = self._going
        if now < term.until:
            term.until = until
        else:
            term = Term(now, until, self._alone)
        self.term, self._inherited = term, None
        self._holding = Holding(self._boot, term.since, sent) if self._boot else None
        self.renewed = sent
        self.held.set()

    @property
    def _going(self) -> Term:
        """The term that a renewal goes on with, if it is not over."""
        return self._inherited or self.term

    async def release(self) -> None:
        """Let go, so that nobody waits for it to run out; best effort.

        Not while an earlier holder may act by it still: then all others have to wait, too.
        """
        self.term.until = -math.inf
        found, self._found = self._found, None
        if found is None or self._now() < self._alone:
            return
        try:
            try:
                await self._let_go(found)
            except ApiConflict:  # a renewal that was broken off was written all the same
                await self._let_go(_Found.of(await self._api.get(LEASES, self._name)))
        except (ApiUnavailable, ApiRefused) as error:
            log.info("lease_not_released", lease=self._name, error=str(error))

    async def _let_go(self, found: _Found) -> None:
        if found.lease.spec.holder_identity != self._identity:
            return
        spec = msgspec.structs.replace(
            found.lease.spec, holder_identity=None, lease_duration_seconds=1
        )
        await self._put(found, spec)

    async def _step(self) -> bool:
        """Take or renew; False: another one has it.

        Raises:
            LeaseLost: It was ours, and another process took it.
            ApiConflict: It changed under us.
        """
        found = self._found
        if found is None:
            try:
                found = _Found.of(await self._api.get(LEASES, self._name))
            except ApiNotFound:
                if self._patient and self._seen is not None and self._seen.alive(self._now()):
                    return False  # deleted by hand: its holder has not heard of it yet
                self._holding = self._inherited = None
                await self._create()
                return True
        holder = found.lease.spec.holder_identity
        if holder == self._identity:
            await self._put(found, self._renewed(found.lease.spec))
            return True
        if self.held.is_set():
            self._lost(holder)
        if self._patient:
            self._seen = seen(self._seen, found.lease, self._now(), self._duration)
            if self._seen.alive(self._now()):
                return False
        else:
            self._owed = outlives(found.lease, self._pod, self._duration)
            self._inherit(found.lease)
        await self._put(found, self._renewed(found.lease.spec))
        if self._owed:
            log.warning(
                "lease_taken_from_one_that_may_live",
                lease=self._name,
                holder=holder,
                identity=self._identity,
                exclusive_after_seconds=self._owed,
            )
        return True

    def _inherit(self, lease: Lease) -> None:
        found = inherited(lease, self._pod, self._boot, self._now())
        self._holding, self._inherited = found, None
        if found is not None:
            duration = lease.spec.lease_duration_seconds or 0
            self._inherited = Term(found.since, found.renewed + _HERITABLE * duration)

    def _lost(self, holder: str | None) -> Never:
        """See LeaseLost. What lives by the term is over first of all."""
        self.term.until = -math.inf
        log.warning("lease_lost", lease=self._name, holder=holder, identity=self._identity)
        raise LeaseLost(
            f"the Lease {self._name} was taken by {holder or 'nobody'}, so this process ends"
        )

    def _renewed(self, before: LeaseSpec) -> LeaseSpec:
        stamp = _micro_time()
        ours = before.holder_identity == self._identity
        return LeaseSpec(
            holder_identity=self._identity,
            lease_duration_seconds=self._duration,
            acquire_time=before.acquire_time if ours else stamp,
            renew_time=stamp,
            lease_transitions=(before.lease_transitions or 0) + (not ours),
        )

    async def _create(self) -> None:
        body = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {
                "name": self._name,
                "labels": self._labels,
                "annotations": self._said(),
            },
            "spec": self._renewed(LeaseSpec(lease_transitions=-1)),
        }
        answer = await self._api.create(LEASES, body, manager=self._manager)
        self._found = _Found.of(answer)

    async def _put(self, found: _Found, spec: LeaseSpec) -> None:
        others = found.metadata.get("annotations") or {}
        kept = {key: text for key, text in others.items() if not key.startswith(_OURS)}
        metadata = {
            **found.metadata,
            "labels": {**(found.metadata.get("labels") or {}), **self._labels},
            "annotations": {**kept, **self._said()},
        }
        body = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": metadata,
            "spec": spec,
        }
        answer = await self._api.update(LEASES, self._name, body, manager=self._manager)
        self._found = _Found.of(answer)

    def _said(self) -> dict[str, str]:
        """Our annotations. Whoever takes the Lease from us must settle for what is left of ours.

        What is said of a holding was so before this is written, so it holds even if we die by then.
        """
        left = max(self._owed, self._alone - self._now())
        settling = {names.ANNOTATION_SETTLING: f"{math.ceil(left)}"} if left > 0 else {}
        goes_on = self._holding is not None and self._now() < self._going.until
        holding = {names.ANNOTATION_HOLDING: str(self._holding)} if goes_on else {}
        return {**self._annotations, **settling, **holding}


def _lacks_rights(error: Exception) -> bool:
    refusals = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
    return isinstance(error, ApiRefused) and error.status in refusals


def _micro_time() -> str:
    """A metav1.MicroTime, for people."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
