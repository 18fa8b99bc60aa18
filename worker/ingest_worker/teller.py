"""Number a camera's events and hand them on, in their order, from any thread."""

import threading
from collections.abc import Callable
from typing import Final

from ingest_core import events
from ingest_core.events import Event, Fact


class Teller:
    """Owner of the numbers: they grow by one over all events of one assignment in one process.

    Args:
        source: Of the events; names the worker's incarnation.
        epoch: Of the camera's assignment.
        offer: Takes an event; never blocks.
    """

    def __init__(self, source: str, epoch: int, offer: Callable[[Event], None]) -> None:
        self._source: Final = source
        self._epoch: Final = epoch
        self._offer = offer
        self._lock = threading.Lock()
        self._number = 0

    def tell(self, fact: Fact) -> None:
        """Give a fact the next number, and offer it before any other gets one."""
        with self._lock:
            self._number += 1
            self._offer(
                events.event(fact, source=self._source, epoch=self._epoch, sequence=self._number)
            )
