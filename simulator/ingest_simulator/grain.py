"""What a sensor adds to a picture: noise that grows with the light it counts.

Read noise is the same everywhere, shot noise has a variance in proportion to the signal, and
analogue gain multiplies both: the usual model of a CMOS sensor (EMVA 1288). Promises that the
noise of a frame depends on seed and index only, and costs one multiplication a pixel: it is cut
from a pool of normal numbers at an offset that the index decides.
"""

import zlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

TILES = 4
SLACK = 61
"""Offsets in each direction at which a tile can be cut: 4 x 61 x 61 different frames of noise."""


@dataclass(frozen=True, slots=True)
class Sensor:
    """Standard deviation of a pixel: the root of `read`² + `shot` x luma, in grey levels."""

    read: float
    shot: float


DAY = Sensor(read=0.8, shot=0.012)
"""A good light: about 1.5 grey levels at mid-grey."""
GRAINY = Sensor(read=3.0, shot=0.35)
"""A cheap sensor indoors: about 7 grey levels at mid-grey."""
NIGHT = Sensor(read=4.0, shot=0.6)
"""Full gain in the dark: about 6 grey levels where the picture is nearly black."""


def generator(seed: int, purpose: str) -> np.random.Generator:
    """A stream of chance of its own for each purpose, so that one never shifts another."""
    return np.random.default_rng([seed, zlib.crc32(purpose.encode())])


def scatter(seed: int, index: int) -> int:
    """Spread a frame's index over 64 bits (the finaliser of splitmix64)."""
    mixed = (index * 0x9E3779B97F4A7C15 + seed * 0xD1B54A32D192ED03 + 1) & 0xFFFFFFFFFFFFFFFF
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
    mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & 0xFFFFFFFFFFFFFFFF
    return mixed ^ (mixed >> 31)


class Grain:
    """The noise of one camera's sensor. Immutable after construction."""

    def __init__(self, width: int, height: int, seed: int) -> None:
        self._size = (height, width)
        self._seed = seed
        self._pool = generator(seed, "grain").standard_normal(
            (TILES, height + SLACK - 1, width + SLACK - 1), dtype=np.float32
        )

    def expose(
        self, light: npt.NDArray[np.float32], sensor: Sensor, index: int
    ) -> npt.NDArray[np.uint8]:
        """Turn the light that falls on the sensor, in grey levels, into frame `index`'s luma."""
        height, width = self._size
        place, tile = divmod(scatter(self._seed, index), TILES)
        top, left = place % SLACK, place // SLACK % SLACK
        noise = self._pool[tile, top : top + height, left : left + width]
        deviation = np.sqrt(np.maximum(light, 0) * sensor.shot + sensor.read**2)
        seen = np.clip(light + noise * deviation + 0.5, 0, 255)
        return np.asarray(seen, dtype=np.uint8)
