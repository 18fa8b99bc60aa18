"""What happened on one connection to a camera, and a frame that was sent on it: the ground truth.

All times are Unix seconds of this machine's clock.
"""

from collections.abc import Callable
from dataclasses import dataclass

import msgspec


class SessionRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One connection; `playing` and `closed` are None until then.

    transport: "tcp" or "udp" once set up. end: why it was closed. first_frame, last_frame: when the
    first and the newest frame that were sent on it were captured; between them, unless a fault had
    it otherwise, there is one each frame interval.
    """

    number: int
    client: str
    opened: float
    transport: str | None
    playing: float | None
    closed: float | None
    end: str | None
    frames: int
    first_frame: float | None = None
    last_frame: float | None = None


class SentFrame(msgspec.Struct, frozen=True, gc=False):
    """One frame on its way; those count too whose packets a fault lost or damaged.

    session: number of its session. index: frame of the scene, from 0 to the clip's length.
    timestamp: RTP time as sent (32 bits). captured, sent: Unix seconds.
    """

    session: int
    index: int
    timestamp: int
    captured: float
    sent: float
    keyframe: bool


@dataclass(slots=True)
class Session:
    """The living side of a record; owned by its connection.

    reset: ends the connection at once, by RST.
    """

    number: int
    client: str
    opened: float
    reset: Callable[[], None]
    transport: str | None = None
    playing: float | None = None
    closed: float | None = None
    end: str | None = None
    frames: int = 0
    first_frame: float | None = None
    last_frame: float | None = None

    def sent(self, captured: float) -> None:
        """Count one frame."""
        self.frames += 1
        self.first_frame = captured if self.first_frame is None else self.first_frame
        self.last_frame = captured

    def record(self) -> SessionRecord:
        return SessionRecord(
            number=self.number,
            client=self.client,
            opened=self.opened,
            transport=self.transport,
            playing=self.playing,
            closed=self.closed,
            end=self.end,
            frames=self.frames,
            first_frame=self.first_frame,
            last_frame=self.last_frame,
        )
