"""How fast frames come, from when they came. Pure: the clock comes in as an argument.

The interval is the median of the last gaps, so that one silence, such as that between two sessions,
says nothing about the pace of a camera that sends a picture a minute.
"""

from collections import deque
from typing import Final

_GAPS: Final = 8  # from which the interval is told
_LEAST_GAPS: Final = 3  # that tell it: two frames a day apart are no pace
_SAMPLES: Final = 32  # arrivals from which the rate is told
_RATE_SECONDS: Final = 10.0


class Pace:
    """Arrivals of one camera's frames on a monotonic clock, in seconds."""

    def __init__(self, now: float) -> None:
        self.last = now
        self._arrivals: deque[float] = deque(maxlen=_SAMPLES)
        self._gaps: deque[float] = deque(maxlen=_GAPS)

    def arrived(self, now: float) -> None:
        """Count a frame."""
        if self._arrivals:
            self._gaps.append(now - self.last)
        self._arrivals.append(now)
        self.last = now

    @property
    def interval(self) -> float:
        """Usual time between two frames; 0 while too few have come to tell."""
        gaps = sorted(self._gaps)
        return gaps[len(gaps) // 2] if len(gaps) >= _LEAST_GAPS else 0.0

    def fps(self, now: float) -> float:
        """Frames a second over the last ones, at most 10 s or three frames back."""
        arrivals = tuple(self._arrivals)
        recent = [at for at in arrivals if at > now - _RATE_SECONDS]
        if len(recent) < 2:  # noqa: PLR2004 - a rate needs two
            recent = list(arrivals[-3:])
        if len(recent) < 2 or now - recent[-1] > 5 * self.interval + 1:  # noqa: PLR2004 - the same
            return 0.0
        return (len(recent) - 1) / max(recent[-1] - recent[0], 1.0)
