"""What a fixed camera sees when nothing happens: a wall, a floor, windows and shelves.

Promises the same picture for the same size and seed; the layout scales with the picture, the
fine texture does not, as in a real one. Never random beyond its seed.
"""

import numpy as np
import numpy.typing as npt

from ingest_simulator.grain import generator

FLOOR = 0.72
"""Where the floor begins, as a part of the height."""
PANES = 0.05
"""Distance of the bars of a window and the books of a shelf, as a part of the width."""
BAR = 0.006
RECTANGLES = 9
"""Windows, doors and shelves hung on the wall."""


def view(width: int, height: int, seed: int) -> npt.NDArray[np.float32]:
    """(height, width) luma between about 25 and 215, lit at full light."""
    draw = generator(seed, "view")
    down = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    across = np.linspace(0, 1, width, dtype=np.float32)[None, :]
    picture = 95 + 45 * across - 25 * down
    picture = np.where(down > FLOOR, picture - 30, picture)
    for _ in range(RECTANGLES):
        left, top = draw.uniform(0, 0.9), draw.uniform(0.02, 0.55)
        right, bottom = left + draw.uniform(0.06, 0.22), top + draw.uniform(0.1, 0.35)
        inside = (across >= left) & (across < right) & (down >= top) & (down < bottom)
        picture = np.where(inside, draw.uniform(45, 185) + 20 * down, picture)
        pane = inside & ((across - left) % PANES < BAR)
        picture = np.where(pane, picture - 22, picture)
    texture = draw.normal(0, 4, (height, width)).astype(np.float32)
    return np.asarray(np.clip(picture + texture, 25, 215), dtype=np.float32)
