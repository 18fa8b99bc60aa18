"""A timeout that stands still while somebody else is waited for."""

import asyncio
from types import TracebackType
from typing import Self


class Patience:
    """An async context manager; its end raises TimeoutError. Outside its block it does nothing."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._timeout = asyncio.timeout(seconds)
        self._running = False

    async def __aenter__(self) -> Self:
        await self._timeout.__aenter__()
        self._running = True
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._running = False
        await self._timeout.__aexit__(kind, error, trace)

    def pause(self) -> None:
        """Stand still until `begin`."""
        if self._running:
            self._timeout.reschedule(None)

    def begin(self) -> None:
        """Count from now, anew."""
        if self._running:
            self._timeout.reschedule(asyncio.get_running_loop().time() + self._seconds)
