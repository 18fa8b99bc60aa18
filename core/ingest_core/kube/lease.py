"""Hold a Lease: renew it, know by our own monotonic clock until when that counts, let go of it.

`until` counts from before the renewal was sent, and ends before the Lease does, so it is over for
us earlier than for anybody who watches. Two ways to get one: a worker takes the Lease of its own
name at once, for its predecessor is dead; a candidate waits until its holder has run out.
"""

import asyncio
import random
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, Never

import msgspec
import structlog

from ingest_core import lenient
from ingest_core.errors import ApiConflict, ApiNotFound, ApiRefused, ApiUnavailable, LeaseLost
from ingest_core.kube.client import Api
from ingest_core.kube.leases import Lease, LeaseSpec, Seen, seen
from ingest_core.kube.resources import LEASES

FENCE: Final = 0.8  # of a Lease's duration, after which a holder that could not renew stands back
_TRY: Final = 0.4  # of it, for which one try may take: a dead connection must not cost the Lease
_RETRY_SECONDS: Final = 0.5

log: structlog.stdlib.BoundLogger = structlog.get_logger()


class Term:
    """A time for which a Lease was held without a lapse. Written by its holder, read by any thread.

    Once it is over it is over for ever: whoever renews the Lease then begins another one. So what
    lives by a term ends with it, even if its process slept through the end and the renewal.

    Attributes:
        since: Monotonic seconds at which it began.
        until: Monotonic seconds at which it ends, unless the Lease is renewed before.
    """

    def __init__(self, since: float, until: float) -> None:
        self.since: Final = since
        self.until = until


class LeaseHolder:
    """Owner of one Lease, or candidate for it.

    Args:
        api: The server, and the namespace.
        name: Of the Lease.
        identity: Of this start of this process: unique for ever.
        duration: Seconds, whole, for which a renewal counts.
        renew: Seconds between renewals.
        manager: Field manager.
        patient: Wait until another holder has run out, instead of taking it at once.
        labels: Of the Lease, when it is made.
        now: Monotonic seconds.
        draw: Evenly distributed in [0, 1).
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
        labels: Mapping[str, str] | None = None,
        now: Callable[[], float] = time.monotonic,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._api = api
        self._name = name
        self._identity = identity
        self._duration = duration
        self._renew = renew
        self._manager = manager
        self._patient = patient
        self._labels = dict(labels or {})
        self._now = now
        self._draw = draw
        self._lease: Lease | None = None
        self._seen: Seen | None = None
        self._annotations: dict[str, str] = {}
        self._wake = asyncio.Event()
        self.held = asyncio.Event()
        self.heard = float("-inf")  # monotonic: when the server last answered
        self.renewed = float("-inf")  # monotonic: when the last renewal that counts was sent
        self.term = Term(float("-inf"), float("-inf"))

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
                if held:
                    self._hold(sent)
                self.heard = self._now()
                failing = False
            except ApiConflict:  # somebody else wrote it: look, and decide again
                self._lease = None
                delay = _RETRY_SECONDS * self._draw()
            except (ApiUnavailable, ApiRefused, TimeoutError, msgspec.DecodeError) as error:
                self._lease = None
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

    def _hold(self, sent: float) -> None:
        now, until = self._now(), sent + FENCE * self._duration
        if now < self.term.until:
            self.term.until = until
        else:
            self.term = Term(now, until)
        self.renewed = sent
        self.held.set()

    async def release(self) -> None:
        """Let go, so that nobody waits for it to run out; best effort."""
        self.term.until = float("-inf")
        lease, self._lease = self._lease, None
        if lease is None or lease.spec.holder_identity != self._identity:
            return
        spec = msgspec.structs.replace(lease.spec, holder_identity=None, lease_duration_seconds=1)
        try:
            await self._put(lease, spec)
        except (ApiUnavailable, ApiRefused) as error:
            log.info("lease_not_released", lease=self._name, error=str(error))

    async def _step(self) -> bool:
        """Take or renew; False: another one has it.

        Raises:
            LeaseLost: It was ours, and another process took it.
            ApiConflict: It changed under us.
        """
        lease = self._lease
        if lease is None:
            try:
                lease = lenient.decode(await self._api.get(LEASES, self._name), Lease)
            except ApiNotFound:
                await self._create()
                return True
        holder = lease.spec.holder_identity
        if holder != self._identity:
            if self.held.is_set():
                self.term.until = float("-inf")
                raise LeaseLost(f"the Lease {self._name} was taken by {holder or 'nobody'}")
            if self._patient:
                self._seen = seen(self._seen, lease, self._now(), self._duration)
                if self._seen.alive(self._now()):
                    return False
        await self._put(lease, self._renewed(lease.spec))
        return True

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
                "annotations": self._annotations,
            },
            "spec": self._renewed(LeaseSpec(lease_transitions=-1)),
        }
        answer = await self._api.create(LEASES, body, manager=self._manager)
        self._lease = lenient.decode(answer, Lease)

    async def _put(self, lease: Lease, spec: LeaseSpec) -> None:
        metadata: dict[str, Any] = {
            "name": self._name,
            "resourceVersion": lease.metadata.resource_version,
            "labels": {**(lease.metadata.labels or {}), **self._labels},
            "annotations": self._annotations,
        }
        body = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": metadata,
            "spec": spec,
        }
        answer = await self._api.update(LEASES, self._name, body, manager=self._manager)
        self._lease = lenient.decode(answer, Lease)


def _micro_time() -> str:
    """A metav1.MicroTime, for people."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
