"""Read everything at the start and from time to time; end the process when a watch is dead.

Promises `begun` only after a whole look, so that nobody decides by half a picture. What is in the
way of looking (no CRDs, no rights, no server) ends nothing: it is said, and waited for.
"""

import asyncio
import time
from collections.abc import Callable
from math import inf
from typing import Final, Never

import structlog

from ingest_core.errors import ApiUnavailable
from ingest_operator.obstacles import Obstructed
from ingest_operator.sweep import Sweeper

TICK_SECONDS: Final = 5.0
_RETRY_SECONDS: Final = 1.0
_REMIND_SECONDS: Final = 60.0  # between two lines of the same obstacle

log: structlog.stdlib.BoundLogger = structlog.get_logger()


class Watchdog:
    """See the module.

    Args:
        sweeper: Looks.
        every: Seconds between two whole looks.
        swept: Called after each.
        now: Monotonic seconds.

    Attributes:
        reached: Set once everything could be read.
        begun: Set once everything was.
        obstacle: What is in the way of reading, for people; None: nothing is.
    """

    def __init__(
        self,
        sweeper: Sweeper,
        *,
        every: float,
        swept: Callable[[], None],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sweeper = sweeper
        self._every = every
        self._swept = swept
        self._now = now
        self._said = -inf
        self._hurried = False
        self._reaching = asyncio.Lock()
        self.reached = asyncio.Event()
        self.begun = asyncio.Event()
        self.obstacle: str | None = None

    async def run(self) -> Never:
        """Look until cancelled.

        Raises:
            WatchDead: The API server lives, and a watch of it does not.
        """
        await self._begin()
        swept = self._now()
        while True:
            await asyncio.sleep(TICK_SECONDS)
            self._sweeper.demand_news()
            if not self._hurried and self._now() - swept < self._every:
                continue
            self._hurried = False
            try:
                await self._sweeper.look()
            except (Obstructed, ApiUnavailable) as error:
                self._obstructed(error)
                self._hurried = True
                continue
            self._free()
            swept = self._now()
            self._swept()

    def hurry(self) -> None:
        """Look at the next tick: what was deleted lately may never be told."""
        self._hurried = self.begun.is_set()

    async def reach(self) -> None:
        """Wait until nothing is in the way of reading; who asks meanwhile waits, too."""
        async with self._reaching:
            while True:
                try:
                    await self._sweeper.reach()
                except (Obstructed, ApiUnavailable) as error:
                    self._obstructed(error)
                    await asyncio.sleep(_RETRY_SECONDS)
                else:
                    self._free()
                    self.reached.set()
                    return

    async def _begin(self) -> None:
        while not self.begun.is_set():
            await self.reach()
            try:
                await self._sweeper.begin()
            except (Obstructed, ApiUnavailable) as error:
                self._obstructed(error)
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                self.begun.set()

    def _obstructed(self, error: Obstructed | ApiUnavailable) -> None:
        found = str(error)
        if found != self.obstacle or self._now() - self._said >= _REMIND_SECONDS:
            log.warning("waiting_for_the_cluster", obstacle=found)
            self._said = self._now()
        self.obstacle = found

    def _free(self) -> None:
        if self.obstacle is not None:
            log.info("the_cluster_can_be_read")
        self.obstacle = None
