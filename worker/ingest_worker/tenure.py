"""When this worker may have Exclusive sessions: while its Lease holds, and a little after it began.

A worker whose Lease ran out may have lost its cameras without knowing. So it first holds the Lease
for the time of one renewal, in which whoever took the Lease for lost has written what follows from
that, then reads anew what is assigned to it, and only then opens such a session. The term of the
Lease is the session's fence.

Nor does it open one, or say that it let go of one, while another process of its name may have one
still: that of a pod which was deleted by force on a node that nobody reaches.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final, Never, Protocol

import structlog

from ingest_core.errors import RegistryUnavailable
from ingest_worker.deadline import Fence

log: structlog.stdlib.BoundLogger = structlog.get_logger()

_LOOK_SECONDS: Final = 0.1  # between two looks at a Lease that does not hold
_IDLE_SECONDS: Final = 1.0  # at most, between two looks at one that does
_RETRY_SECONDS: Final = 0.5


class Term(Fence, Protocol):
    """One time of holding the Lease without a lapse: see core.kube.lease.Term."""

    @property
    def since(self) -> float: ...

    @property
    def alone(self) -> float: ...


class Tenure:
    """Owner of the question. `fence` answers it at any moment; `changed` is called when it changes.

    Args:
        term: The Lease's term of now; one that is over is never told as another again.
        settle: Seconds for which a term must have lasted.
        refresh: Reads anew what is assigned; raises RegistryUnavailable.
        changed: See above.
        now: Monotonic seconds.
    """

    def __init__(
        self,
        term: Callable[[], Term],
        settle: float,
        *,
        refresh: Callable[[], Awaitable[None]],
        changed: Callable[[], None],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._term = term
        self._settle = settle
        self._refresh = refresh
        self._changed = changed
        self._now = now
        self._good: Term | None = None
        self._asked = asyncio.Event()

    @property
    def fence(self) -> Fence | None:
        """What an Exclusive session that is opened now must not outlive; None: open none.

        Who never asks, having no such camera, spares the API server the reading.
        """
        self._asked.set()
        good = self._good
        return good if good is not None and self._now() < good.until else None

    @property
    def alone(self) -> bool:
        """Can no other process of this name have an Exclusive session any more?"""
        self._asked.set()
        return self._now() >= self._term().alone

    async def run(self) -> Never:
        """Follow the Lease until cancelled."""
        await self._asked.wait()
        while True:
            term, now = self._term(), self._now()
            if now >= term.until:
                self._set(None)
                await asyncio.sleep(_LOOK_SECONDS)
            elif term is self._good:
                await asyncio.sleep(min(_IDLE_SECONDS, term.until - now))
            else:
                self._set(None)
                await self._begin(term)

    async def _begin(self, term: Term) -> None:
        settled = max(term.since + self._settle, term.alone) - self._now()
        if settled > 0:
            await asyncio.sleep(min(_LOOK_SECONDS, settled))
            return
        try:
            await self._refresh()
        except RegistryUnavailable:
            await asyncio.sleep(_RETRY_SECONDS)
            return
        if term is self._term() and self._now() < term.until:
            self._set(term)

    def _set(self, good: Term | None) -> None:
        if good is self._good:
            return
        self._good = good
        if good is None:
            log.warning("exclusive_sessions_forbidden")
        else:
            log.info("exclusive_sessions_allowed")
        self._changed()
