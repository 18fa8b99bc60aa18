"""The seam between capture and codecs: what a decoder is, and what it gives.

Another decoder, such as one that wakes only when a stream's packet sizes say that something
happens and then catches up from the ring, stands in here: it sees ring frames, in order, and
nothing of the session.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ingest_worker.ring import Frame


class Picture(Protocol):
    """A decoded frame, kept by reference: its pixels are never changed."""

    @property
    def frame(self) -> Frame:
        """The encoded frame that it was decoded from."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""

    def luma(self) -> npt.NDArray[np.uint8]:
        """Brightness, (height, width); rows may be padded. No copy where the format allows."""

    def bgr(self, width: int) -> npt.NDArray[np.uint8]:
        """Colour, (height, `width`, 3), scaled with the aspect kept."""


class Decoder(Protocol):
    """Turns encoded frames into pictures, in one thread."""

    errors: int  # frames that were refused, or came out corrupt

    def decode(self, frame: Frame) -> Sequence[Picture]:
        """Pictures that this frame completes: none, one, or with B-frames more. Never raises."""
