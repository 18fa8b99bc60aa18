"""What a camera's picture looks like when nothing happens, and how much each pixel flickers then.

A running mean and a running mean absolute deviation per pixel: the Σ-Δ background of Manzanera and
Richefeu ("A new motion detection algorithm based on Σ-Δ background estimation", 2007), but with an
exponential instead of a counting update, so that it follows in seconds at every frame rate.

Promises no decision and no clock: elapsed time comes in. One owner; its planes are reused from
frame to frame, so that a frame allocates next to nothing.
"""

import math
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

Plane = npt.NDArray[np.uint8]
"""(height, width) bytes: grey levels, or a mask of 0 and 255."""

FOLLOWS_SECONDS: Final = 3.0
"""Time constant at which quiet pixels follow the light."""
ABSORBS_SECONDS: Final = 30.0
"""Time constant at which something that stays becomes background."""
SLOWEST: Final = 1 / 400
FASTEST: Final = 1 / 4
"""Bounds of one update: neither a long nor no time between two frames forgets or freezes."""

GRID: Final = 16
"""Every how many pixels, in both directions, the gain is sampled."""


def rate(elapsed: float, constant: float) -> float:
    """How much of a new frame to mix in after `elapsed` seconds (first-order low-pass)."""
    return min(FASTEST, max(SLOWEST, 1 - math.exp(-elapsed / constant)))


class Background:
    """Mean and deviation of every pixel of one camera's analysed picture."""

    def __init__(self, first: Plane) -> None:
        self._mean = first.astype(np.float32)
        self._deviation = np.zeros_like(self._mean)
        self._difference = np.zeros_like(first)
        self._scratch = np.empty_like(first)
        self._learned = 1

    @property
    def learned(self) -> int:
        """Frames learned since the beginning, or since `restart`."""
        return self._learned

    def restart(self, picture: Plane) -> None:
        """Take this picture for the background: what was known no longer holds."""
        np.copyto(self._mean, picture)
        self._learned = 1

    def gain(self, picture: Plane) -> float:
        """How much brighter the picture is than the background: the median of a grid of pixels.

        What moves is in less than half of the picture, so the median does not see it.
        """
        known = np.maximum(self._mean[GRID // 2 :: GRID, GRID // 2 :: GRID], 1)
        ratios = np.ravel(picture[GRID // 2 :: GRID, GRID // 2 :: GRID] / known)
        middle = ratios.size // 2  # the upper median; np.median takes several times as long
        return float(np.partition(ratios, middle)[middle])

    def compare(self, picture: Plane, factor: float, floor: float, gain: float = 1) -> Plane:
        """255 where the picture is off `gain` times the mean by more than usual, 0 elsewhere.

        That is by more than `factor` times the pixel's mean absolute deviation plus `floor` grey
        levels. The plane is the caller's until the next call of any method.
        """
        expected = cv2.convertScaleAbs(self._mean, dst=self._difference, alpha=gain)
        cv2.absdiff(picture, expected, dst=self._difference)
        limit = cv2.convertScaleAbs(self._deviation, dst=self._scratch, alpha=factor, beta=floor)
        cv2.compare(self._difference, limit, cv2.CMP_GT, dst=self._scratch)
        return self._scratch

    def learn(self, picture: Plane, elapsed: float, moving: Plane | None) -> None:
        """Mix in the picture that was compared last: quickly, but slowly where it is `moving`.

        The first pictures weigh the same each, so that a new background is their plain mean. What
        moves says nothing about noise.
        """
        follow = rate(elapsed, FOLLOWS_SECONDS)
        mean, deviation = max(follow, 1 / (self._learned + 1)), max(follow, 1 / self._learned)
        self._learned += 1
        box = None if moving is None else cv2.boundingRect(moving)
        if moving is None or box is None or not box[2]:
            cv2.accumulateWeighted(picture, self._mean, mean)
            cv2.accumulateWeighted(self._difference, self._deviation, deviation)
            return
        # OpenCV accumulates under a mask pixel by pixel: a tenth as fast as without one. So all is
        # mixed in, and what moves is put back, in the box around it.
        left, top, width, height = box
        part = np.s_[top : top + height, left : left + width]
        kept_mean, kept_deviation = self._mean[part].copy(), self._deviation[part].copy()
        cv2.accumulateWeighted(picture, self._mean, mean)
        cv2.accumulateWeighted(self._difference, self._deviation, deviation)
        cv2.accumulateWeighted(picture[part], kept_mean, rate(elapsed, ABSORBS_SECONDS))
        cv2.copyTo(kept_mean, moving[part], dst=self._mean[part])
        cv2.copyTo(kept_deviation, moving[part], dst=self._deviation[part])
