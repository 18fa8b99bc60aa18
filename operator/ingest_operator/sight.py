"""A clock that stands still while the API server is out of sight.

A Lease runs out when its renewal was not seen for its duration. While nothing at all is seen, that
says nothing of the worker: an outage of the API server must not look like the loss of them all.
"""

import time
from collections.abc import Callable


class SightedClock:
    """Monotonic seconds, less those for which the server was not heard.

    Args:
        patience: Seconds between two answers that are no sign of an outage.
        now: Monotonic seconds.
    """

    def __init__(self, patience: float, now: Callable[[], float] = time.monotonic) -> None:
        self._patience = patience
        self._now = now
        self._heard = now()
        self._blind = 0.0  # seconds, of outages that are over

    def called(self, _verb: str, _resource: str, code: str, _took: float, /) -> None:
        """Told of each call of the API server (`client.Called`): was it answered?"""
        if code == "none":
            return
        now = self._now()
        self._blind += max(0.0, now - self._heard - self._patience)
        self._heard = now

    def __call__(self) -> float:
        """Seconds; never falls."""
        return min(self._now(), self._heard + self._patience) - self._blind
