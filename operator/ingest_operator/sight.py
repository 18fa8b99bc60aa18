"""A clock that stands still while nothing is heard from where news should come.

A Lease runs out when its renewal was not seen for its duration. While nothing at all is seen, that
says nothing of the worker: an outage of the API server, a watch that broke or a process that was
frozen must not look like the loss of all workers, whose cameras the first one to be seen again
would get.
"""

import time
from collections.abc import Callable


class SightedClock:
    """Monotonic seconds, less those for which nothing was heard.

    Args:
        patience: Seconds of silence that mean nothing.
        now: Monotonic seconds.
    """

    def __init__(self, patience: float, now: Callable[[], float] = time.monotonic) -> None:
        self._patience = patience
        self._now = now
        self._heard = now()
        self._blind = 0.0  # seconds, of outages that are over

    def called(self, _verb: str, _resource: str, code: str, _took: float, /) -> None:
        """Told of each call of the API server (`client.Called`): was it answered?

        To whom it does not know it shows nothing.
        """
        if code not in ("none", "401"):
            self.heard()

    def heard(self) -> None:
        """Something came from there."""
        now = self._now()
        self._blind += max(0.0, now - self._heard - self._patience)
        self._heard = now

    def __call__(self) -> float:
        """Seconds; never falls."""
        return min(self._now(), self._heard + self._patience) - self._blind
