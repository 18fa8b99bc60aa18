"""A clock that somebody moves by sleeping, and what is to happen meanwhile."""

import heapq
import itertools
from collections.abc import Callable


class PlayedClock:
    """What is to happen happens while somebody sleeps."""

    def __init__(self) -> None:
        self._now = 1000.0
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()

    def time(self) -> float:
        return self._now

    def sleep(self, seconds: float, /) -> None:
        until = self._now + seconds
        while self._due and self._due[0][0] <= until:
            self._now, _, act = heapq.heappop(self._due)
            act()
        self._now = until

    def after(self, seconds: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._due, (self._now + seconds, next(self._numbers), act))
