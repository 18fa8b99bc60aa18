"""Rain before the lens: bright slanted streaks which are somewhere else in every frame.

A drop crosses the picture within a frame or two of a slow camera, so streaks are drawn anew for
each frame. Promises the same streaks for the same seed and index; taken from a pool, as the grain.
"""

import math

import numpy as np
import numpy.typing as npt

from ingest_simulator.grain import generator, scatter

LAYERS = 12
STREAKS = 70
"""In a picture of any size: streaks scale with it."""
SLANT = 0.12


class Rain:
    """The streaks of one scene. Immutable after construction."""

    def __init__(self, width: int, height: int, seed: int) -> None:
        self._seed = seed
        draw = generator(seed, "rain")
        self._layers = tuple(_layer(width, height, draw) for _ in range(LAYERS))

    def draw(self, light: npt.NDArray[np.float32], index: int) -> None:
        """Add frame `index`'s streaks to the light, in place."""
        shift, layer = divmod(scatter(self._seed, index), LAYERS)
        rows, columns, bright = self._layers[layer]
        height, width = light.shape
        light[(rows + shift % height) % height, (columns + shift // height % width) % width] += (
            bright
        )


def _layer(
    width: int, height: int, draw: np.random.Generator
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.float32]]:
    """Rows, columns and added grey levels of one layer of streaks, each pixel once."""
    layer = np.zeros((height, width), np.float32)
    thick = max(1, round(height / 180))
    for _ in range(STREAKS):
        long = max(2, round(height * draw.uniform(0.04, 0.14)))
        top, left = int(draw.integers(height)), int(draw.integers(width))
        bright = draw.uniform(12, 50)
        for step in range(long):
            column = left + math.floor(step * SLANT)
            for beside in range(thick):
                layer[(top + step) % height, (column + beside) % width] = bright
    rows, columns = np.nonzero(layer)
    return rows, columns, layer[rows, columns]
