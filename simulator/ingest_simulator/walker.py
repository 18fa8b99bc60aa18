"""Somebody who walks through the picture: the one thing in a scene that is motion.

The walk: nobody until `ENTERS` seconds, across from left to right until `LEAVES`, nobody until
`PERIOD`, and again. Promises that the box is where the figure is drawn, cut at the edges.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ingest_simulator.grain import generator

PERIOD = 20.0
ENTERS = 4.0
LEAVES = 12.0
POSES = 4
STEPS_PER_SECOND = 2.0
NECK = 0.18
HIP = 0.58
"""Parts of the figure's height, from above."""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels of the scene, from its upper left corner."""

    x: int
    y: int
    width: int
    height: int


class Walker:
    """A textured figure of about 45 % of the picture's height. Immutable after construction."""

    def __init__(self, width: int, height: int, seed: int) -> None:
        self._picture = (width, height)
        self._tall = max(4, round(height * 0.45))
        self._wide = max(2, round(self._tall * 0.42))
        self._top = round(height * 0.93) - self._tall
        self._poses = tuple(_pose(self._wide, self._tall, pose / POSES) for pose in range(POSES))
        self._cloth = _cloth(self._wide, self._tall, seed)

    def box(self, seconds: float) -> Box | None:
        """Where the figure is at this time of the scene; None while nobody is there."""
        x = self._left(seconds)
        width, _ = self._picture
        left, right = max(x, 0), min(x + self._wide, width)
        return Box(left, self._top, right - left, self._tall) if left < right else None

    def draw(self, light: npt.NDArray[np.float32], seconds: float, bright: float) -> None:
        """Put the figure into the picture, in place, lit by `bright` (1 = full light)."""
        box = self.box(seconds)
        if box is None:
            return
        skip = box.x - self._left(seconds)
        pose = self._poses[int(seconds * STEPS_PER_SECOND * 2) % POSES]
        seen = (slice(None), slice(skip, skip + box.width))
        spot = light[box.y : box.y + box.height, box.x : box.x + box.width]
        np.copyto(spot, self._cloth[seen] * np.float32(bright), where=pose[seen])

    def _left(self, seconds: float) -> int:
        """The figure's left edge, outside of the picture while nobody is there."""
        width, _ = self._picture
        done = (seconds % PERIOD - ENTERS) / (LEAVES - ENTERS)
        if not 0 <= done < 1:
            return width
        return round(done * (width + self._wide)) - self._wide


def _pose(wide: int, tall: int, stride: float) -> npt.NDArray[np.bool_]:
    """The silhouette: head, trunk with arms, two legs that open and close."""
    y = np.linspace(0, 1, tall)[:, None]
    x = np.linspace(-1, 1, wide)[None, :]
    head = (x / 0.42) ** 2 + ((y - 0.1) / 0.1) ** 2 <= 1
    trunk = (np.abs(x) <= 0.95) & (y >= NECK) & (y < HIP)  # noqa: PLR2004 - shape
    open_by = (0.25 + 0.7 * abs(np.cos(np.pi * stride))) * (y - 0.5) / 0.5
    legs = (y >= HIP) & (np.abs(np.abs(x) - open_by) <= 0.38)  # noqa: PLR2004 - shape
    return np.asarray(head | trunk | legs)


def _cloth(wide: int, tall: int, seed: int) -> npt.NDArray[np.float32]:
    """Bright above and dark below, with folds and a fine pattern: unlike most walls."""
    draw = generator(seed, "walker")
    y = np.linspace(0, 1, tall, dtype=np.float32)[:, None]
    x = np.linspace(0, 1, wide, dtype=np.float32)[None, :]
    base = np.where(y < NECK, 150, np.where(y < HIP, 205, 32))
    folds = 14 * np.sin(9 * x + 17 * y)
    fine = draw.normal(0, 6, (tall, wide))
    return np.asarray(np.clip(base + folds + fine, 12, 235), dtype=np.float32)
