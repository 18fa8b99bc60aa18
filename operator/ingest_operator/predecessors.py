"""Remember who captured a Camera that is gone, for the next one that has its id. Pure.

A Camera that is deleted and made anew is another object, and nothing on it says that a worker may
have a session still: it hears of the end by its watch, and then closes. So an Exclusive heir is
handed over by that worker, which says when it has let go. Whoever has had no part in it says so at
once, so what is remembered for too long costs a moment.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from ingest_operator.state import CameraState

MOST: Final = 10_000  # ids; those of which the Camera ended first are forgotten first


class Predecessors:
    """Owner of the memory.

    Attributes:
        workers: Who captured the last Camera of an id that is gone, by id.
    """

    def __init__(self) -> None:
        self._workers: dict[str, str] = {}
        self.workers: Final[Mapping[str, str]] = MappingProxyType(self._workers)

    def ended(self, camera: CameraState) -> None:
        """This one is gone; one that nobody had leaves what is known of those before it."""
        if camera.holder is None:
            return
        self._workers.pop(camera.id, None)
        self._workers[camera.id] = camera.holder
        if len(self._workers) > MOST:
            del self._workers[next(iter(self._workers))]
