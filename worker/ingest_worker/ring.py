"""Keep the last seconds of what a camera sent. Pure: encoded frames in, encoded frames out.

Holds groups of pictures and evicts them whole, so the oldest frame is always decodable. Bounded in
seconds and in bytes; never holds pixels, never blocks, never reads a clock.
"""

from bisect import bisect_left
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

FRAME_OVERHEAD: Final = 256  # bytes that a frame costs besides its data


@dataclass(frozen=True, slots=True)
class Codec:
    """How to decode a frame.

    Attributes:
        name: As FFmpeg names it: h264, hevc, mjpeg.
        extradata: Parameter sets from the SDP; empty when they are in the stream.
    """

    name: str
    extradata: bytes = b""


JPEG: Final = Codec("mjpeg")


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture as the camera sent it.

    Attributes:
        sequence: Grows by one within the camera's assignment in one process.
        timestamp: Capture time in Unix seconds; grows within the sequence.
        keyframe: Can it be decoded by itself?
        data: One access unit (H.264 and H.265 in Annex B), or a JPEG.
        codec: What decodes it.
    """

    sequence: int
    timestamp: float
    keyframe: bool
    data: bytes
    codec: Codec


class Ring:
    """The last groups of pictures of one camera. Not thread-safe: its owner locks."""

    def __init__(self, seconds: float, max_bytes: int) -> None:
        self._seconds = seconds
        self._max_bytes = max_bytes
        self._groups: deque[list[Frame]] = deque()
        self._group_bytes: deque[int] = deque()
        self._open = False
        self.bytes = 0

    def append(self, frame: Frame) -> bool:
        """Take a frame in; False when it was not kept.

        A frame that has no keyframe before it is not kept, nor is what follows when one group alone
        is larger than the ring: it is let go whole, and the next keyframe begins anew. A frame that
        is older than the last one means that the clock was set back; then the ring begins anew.
        """
        cost = len(frame.data) + FRAME_OVERHEAD
        if self._groups and frame.timestamp < self._groups[-1][-1].timestamp:
            self.clear()  # the clock was set back: what is later than now could never be evicted
        if frame.keyframe:
            self._groups.append([])
            self._group_bytes.append(0)
            self._open = True
        if not self._open:
            return False
        self._groups[-1].append(frame)
        self._group_bytes[-1] += cost
        self.bytes += cost
        self._evict(frame.timestamp)
        return self._open

    def clear(self) -> None:
        """Let go of everything."""
        self._groups.clear()
        self._group_bytes.clear()
        self.bytes, self._open = 0, False

    def cut(self) -> None:
        """A session ended: what comes next does not continue the last group."""
        self._open = False

    def resize(self, seconds: float, max_bytes: int) -> None:
        """Set other bounds, and keep to them at once."""
        self._seconds, self._max_bytes = seconds, max_bytes
        if self._groups:
            self._evict(self._groups[-1][-1].timestamp)

    def group_until(self, sequence: int) -> tuple[Frame, ...]:
        """The frames that decode `sequence`: from its keyframe up to it; empty if it is gone."""
        for group in reversed(self._groups):
            if group[0].sequence <= sequence:
                at = bisect_left(group, sequence, key=lambda frame: frame.sequence)
                found = at < len(group) and group[at].sequence == sequence
                return tuple(group[: at + 1]) if found else ()
        return ()

    def __iter__(self) -> Iterator[Frame]:
        """Every frame, oldest first."""
        return (frame for group in self._groups for frame in group)

    def __len__(self) -> int:
        return sum(map(len, self._groups))

    @property
    def seconds(self) -> float:
        """Time between its oldest and its newest frame."""
        if not self._groups:
            return 0.0
        return self._groups[-1][-1].timestamp - self._groups[0][0].timestamp

    def _evict(self, now: float) -> None:
        while len(self._groups) > 1 and (
            self.bytes > self._max_bytes or self._groups[0][-1].timestamp < now - self._seconds
        ):
            self._drop_oldest()
        if self.bytes > self._max_bytes:
            self._drop_oldest()
            self._open = False

    def _drop_oldest(self) -> None:
        self._groups.popleft()
        self.bytes -= self._group_bytes.popleft()
