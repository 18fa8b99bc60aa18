"""Who may connect: so many cameras of a worker at once, and each with one connection.

Owned by the event loop. Nobody waits here for a camera that is not its own, but for a free place.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Final

from ingest_core.errors import CaptureError

STEADY_CONNECTS: Final = 32
FAILING_CONNECTS: Final = 16
_FAILING_AFTER: Final = 3  # failures in a row that move a camera to the second lane


class Connects:
    """The worker's budget of sessions that connect at once, so that an outage ends in no storm.

    Cameras that keep failing wait in a lane of their own: a hundred dead ones, each ten seconds in
    connecting, do not delay one that only lost its cable.
    """

    def __init__(self, steady: int = STEADY_CONNECTS, failing: int = FAILING_CONNECTS) -> None:
        self._steady = asyncio.Semaphore(steady)
        self._failing = asyncio.Semaphore(failing)

    @contextlib.asynccontextmanager
    async def slot(self, failures: int) -> AsyncIterator[None]:
        """A place in the lane for a camera that failed so often in a row."""
        lane = self._failing if failures >= _FAILING_AFTER else self._steady
        async with lane:
            yield


class Line:
    """One connection per camera: the next session waits until the last one's thread has ended.

    Where several wait for it, they take turns.
    """

    def __init__(self) -> None:
        self._last: asyncio.Future[CaptureError] | None = None

    @property
    def free(self) -> bool:
        """Has the last session's thread ended?"""
        return self._last is None or self._last.done()

    def when_free(self, then: Callable[[], object]) -> bool:
        """Is it free? If not, `then` is called once it is."""
        if self._last is None or self._last.done():
            return True
        self._last.add_done_callback(lambda _: then())
        return False

    async def take(self, over: asyncio.Future[CaptureError]) -> None:
        """Wait for the line; it is taken until `over` is done."""
        while self._last is not None and not self._last.done():
            await asyncio.wait([self._last])
        self._last = over
