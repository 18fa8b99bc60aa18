"""Which cameras this worker still captures for the worker that takes them over, and since when."""

import asyncio
from collections.abc import Callable, Collection

from ingest_core.model import Camera
from ingest_worker.handover import YIELD_SECONDS


class Yielding:
    """Owner of the times. One event loop, but `in` from any thread.

    Args:
        over: Called when the first of them has been yielded for long enough.
    """

    def __init__(self, over: Callable[[], None]) -> None:
        self._over = over
        self._loop = asyncio.get_running_loop()
        self._since: dict[str, tuple[int, float]] = {}  # name → to which epoch, since when
        self._timer: asyncio.TimerHandle | None = None

    def __contains__(self, name: str) -> bool:
        return name in self._since

    def seconds(self, camera: Camera) -> float:
        """For how long it has been yielded to its assignment of now; 0: not yet."""
        epoch, since = self._since.get(camera.name, (0, 0.0))
        return self._loop.time() - since if epoch == camera.epoch else 0.0

    def are(self, cameras: Collection[Camera]) -> None:
        """These are yielded now, and no others."""
        now = self._loop.time()
        self._since = {one.name: (one.epoch, now - self.seconds(one)) for one in cameras}
        self.stop()
        first = min((since for _, since in self._since.values()), default=None)
        if first is not None:
            self._timer = self._loop.call_at(first + YIELD_SECONDS, self._over)

    def stop(self) -> None:
        """No timer any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
