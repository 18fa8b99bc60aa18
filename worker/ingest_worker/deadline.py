"""When a session must end, for FFmpeg too, which knows of no other clock than PyAV's.

PyAV asks `time.monotonic` of its own module whenever FFmpeg waits or reads. `rtsp` puts this class
in the place of that module: the clock of a thread that a Deadline governs stands still until the
deadline is over, then leaps at each look, so that every timeout of PyAV is over as well.
"""

import contextlib
import math
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Protocol

_LEAP: Final = 10.0  # s on PyAV's clock, more than any timeout on it
_FAREWELL: Final = 0.2  # s to tell the camera that the session is over


class Fence(Protocol):
    """What a session must not outlive: `until` is in monotonic seconds, and may move on."""

    @property
    def until(self) -> float: ...


@dataclass(frozen=True, slots=True)
class _Open:
    until: float = math.inf


OPEN: Final[Fence] = _Open()  # no fence at all


class Deadline:
    """When the session of a thread must end. Written by its thread; `stop` by any."""

    _of_thread: Final = threading.local()

    def __init__(self, seconds: float, fence: Fence = OPEN) -> None:
        self.at = time.monotonic() + seconds
        self.stopped = False
        self._fence = fence
        self._leaps = 0
        self._farewell = 0.0

    @property
    def over(self) -> bool:
        now = time.monotonic()
        return self.stopped or now > self.at or now >= self._fence.until

    @property
    def fenced(self) -> bool:
        """Is it over because this process may have no session any more?"""
        return time.monotonic() >= self._fence.until

    @contextlib.contextmanager
    def governs(self) -> Iterator[None]:
        """Answer PyAV's questions of this thread."""
        self._of_thread.deadline = self
        try:
            yield
        finally:
            del self._of_thread.deadline

    @classmethod
    def monotonic(cls) -> float:
        """A clock for PyAV: it stands still until the deadline is over, then leaps at each look."""
        deadline: Deadline | None = getattr(cls._of_thread, "deadline", None)
        return time.monotonic() if deadline is None else deadline.answer()

    def farewell(self) -> None:
        """Let a session that must end say so: a camera which is not told counts it on."""
        self._farewell = time.monotonic() + _FAREWELL

    def answer(self) -> float:
        """Seconds on that clock."""
        if self.over:
            if time.monotonic() < self._farewell:
                return math.nan  # neither before nor after a timeout: it interrupts nothing
            self._leaps += 1
        return _LEAP * self._leaps
