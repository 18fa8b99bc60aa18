"""Where in a picture: polygons that are left out, and connected regions of what is left.

Pure. Polygons come in permille of the picture, so that they hold for every size of stream; regions
go out in pixels of the analysed picture.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from ingest_worker.background import Plane

Polygon = tuple[tuple[int, int], ...]
"""Corners as (x, y) in permille of width and height."""

OPENING: Final = np.ones((3, 3), np.uint8)
CLOSING: Final = np.ones((7, 7), np.uint8)
"""Specks below 3 x 3 pixels vanish; parts of one body up to 6 pixels apart become one."""
REACH: Final = 6
"""Pixels around the foreground that joining looks at."""


@dataclass(frozen=True, slots=True)
class Region:
    """A connected region's box, and how many of its pixels are foreground."""

    x: int
    y: int
    width: int
    height: int
    area: int

    def scaled(self, factor: int) -> "Region":
        """The same region in a picture whose sides are `factor` times as long."""
        return Region(
            self.x * factor,
            self.y * factor,
            self.width * factor,
            self.height * factor,
            self.area * factor * factor,
        )


def watched(width: int, height: int, masks: tuple[Polygon, ...]) -> Plane:
    """255 where motion counts, 0 inside of the masks."""
    plane = np.full((height, width), 255, np.uint8)
    for mask in masks:
        corners = np.array(mask, np.int64).reshape(-1, 2) * (width - 1, height - 1)
        cv2.fillPoly(plane, [np.rint(corners / 1000).astype(np.int32)], (0,))
    return plane


def largest(foreground: Plane) -> Region | None:
    """The connected region (8-connected, small gaps bridged) with the greatest area."""
    left, top, wide, high = cv2.boundingRect(foreground)
    if not wide:
        return None  # OpenCV 5.0 ends the process when told to label an empty picture
    x0, y0 = max(0, left - REACH), max(0, top - REACH)
    # In the box alone, with what joining can reach: it and labelling cost by the pixel.
    near = foreground[y0 : top + high + REACH, x0 : left + wide + REACH]
    spot = cv2.morphologyEx(near, cv2.MORPH_CLOSE, CLOSING)
    _, _, stats, _ = cv2.connectedComponentsWithStats(spot, connectivity=8, ltype=cv2.CV_16U)
    x, y, width, height, area = stats[1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))].tolist()
    return Region(x0 + x, y0 + y, width, height, area)
