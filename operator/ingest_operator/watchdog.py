"""Read everything at the start and from time to time; end the process when a watch is dead.

Promises `begun` only after a whole look, so that nobody decides by half a picture.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Final, Never

import structlog

from ingest_core.errors import ApiRefused, ApiUnavailable
from ingest_operator.sweep import Sweeper

TICK_SECONDS: Final = 5.0
_RETRY_SECONDS: Final = 1.0

log: structlog.stdlib.BoundLogger = structlog.get_logger()


class Watchdog:
    """See the module.

    Args:
        sweeper: Looks.
        every: Seconds between two whole looks.
        swept: Called after each.
        now: Monotonic seconds.
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
        self.begun = asyncio.Event()

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
            if self._now() - swept < self._every:
                continue
            try:
                await self._sweeper.look()
            except (ApiRefused, ApiUnavailable) as error:
                log.info("resync_delayed", error=str(error))
                continue
            swept = self._now()
            self._swept()

    async def _begin(self) -> None:
        while not self.begun.is_set():
            try:
                await self._sweeper.begin()
            except (ApiRefused, ApiUnavailable) as error:
                log.warning("waiting_for_the_api_server", error=str(error))
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                self.begun.set()
