"""Say when a frame was captured. Pure: the arrival clock, corrected by stream time.

Frames arrive late and in bursts, evenly spaced in stream time; a camera's clock may drift, jump,
stop or run backwards. Of the offsets between both clocks the smallest is nearest to the truth (the
minimum filter of RFC 5905 §10, "clock filter"), and it is let rise slowly, to follow a drift. The
capture time never lies after the arrival, nor more than a second before it, and always grows, but
where this machine's clock is set back by more than a second.
"""

from typing import Final

_DRIFT: Final = 0.001  # s/s by which the smallest offset may rise: ten times a bad crystal
_RESYNC: Final = 1.0  # s between both clocks beyond which stream time is not believed
_STEP: Final = 1e-6  # s by which a capture time grows at least


class StreamClock:
    """Capture times of one camera's frames. One owner: the thread of its session."""

    def __init__(self) -> None:
        self._newest = 0.0
        self._offset: float | None = None
        self._arrival = 0.0
        self._stream = 0.0

    def begin(self) -> None:
        """A new session: its stream time has nothing to do with the last one's."""
        self._offset = None

    def stamp(self, stream_time: float | None, arrival: float) -> float:
        """Capture time in Unix seconds.

        Args:
            stream_time: The frame's time on the camera's own clock, seconds; None: it has none.
            arrival: Unix seconds at which it had arrived.
        """
        if arrival < self._newest - _RESYNC:  # the clock of this machine was set back
            self._newest, self._offset = 0.0, None
        captured = arrival if stream_time is None else self._correct(stream_time, arrival)
        self._newest = max(captured, self._newest + _STEP)
        return self._newest

    def _correct(self, stream_time: float, arrival: float) -> float:
        offset = arrival - stream_time
        stands = stream_time <= self._stream
        self._stream = stream_time
        if self._offset is None or stands or abs(offset - self._offset) > _RESYNC:
            self._offset = offset
        else:
            passed = max(0.0, arrival - self._arrival)
            self._offset = min(offset, self._offset + _DRIFT * passed)
        self._arrival = arrival
        return stream_time + self._offset
