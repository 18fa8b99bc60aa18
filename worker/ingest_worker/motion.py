"""Decide from a camera's luma whether something moves, where, and since when.

A pixel is foreground when it is off its own running mean by more than its own noise allows; what
opening leaves of the foreground is motion when one region of it is large enough; enough such frames
begin an event, and long enough without ends it. docs/design/motion.md says why, and what it costs.

Promises: no clock, no chance, no waiting; the same frames give the same answers. Bounded in cost by
`due`, in memory by the analysed size. Never raises, whatever the times and whatever is in a plane.
"""

import math
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from ingest_worker.background import Background, Plane
from ingest_worker.regions import OPENING, Polygon, Region, largest, watched

ANALYSED_PIXELS: Final = 86_400
"""At most this many pixels are analysed: 1.5 times 320 x 180."""
DUE_SECONDS: Final = 0.16
"""Least time between two analysed frames: four to six a second at the usual frame rates."""
LEARNING_FRAMES: Final = 10
"""Frames without a decision after a start or a change of light: 2 s at five a second."""
EXPOSURE: Final = 0.03
"""When the whole picture is brighter or darker by more, only what is off that too moves."""
LEAST_SIDE: Final = 16
"""A smaller picture is no camera's; and OpenCV 5.0 ends the process over an empty one."""
GAP_SECONDS: Final = 3.0
GAP_INTERVALS: Final = 4
LONGEST_INTERVAL: Final = 60.0
BEGIN_FRAMES: Final = 2
BEGIN_WINDOW: Final = 3
"""Motion begins when it is in two of the last three analysed frames."""


@dataclass(frozen=True, slots=True)
class MotionConfig:
    """What counts as motion; `threshold` says what `sensitivity` (0 to 100) means.

    `min_area_permille` is of the analysed picture without its masks.
    """

    sensitivity: int = 50
    min_area_permille: int = 2
    cooldown_seconds: float = 5
    masks: tuple[Polygon, ...] = ()


@dataclass(frozen=True, slots=True)
class Observation:
    """What one analysed frame tells. Regions are in pixels of the source.

    `began` is set on the one frame with which an event begins; `ended`, the seconds from there to
    the last motion, on the one with which it ends. `light_change`: the background is learned anew,
    and nothing decided meanwhile.
    """

    moving: bool = False
    began: Region | None = None
    ended: float | None = None
    region: Region | None = None
    light_change: bool = False


@dataclass(frozen=True, slots=True)
class MotionEvent:
    """Whether motion goes on, and what it takes to begin and to end it. Times are seconds."""

    recent: tuple[bool, ...] = ()
    began: float | None = None
    last: float = 0.0

    @property
    def seconds(self) -> float | None:
        return None if self.began is None else self.last - self.began

    def seen(self, now: float, cooldown: float, *, found: bool) -> "MotionEvent":
        """The event after one more analysed frame, with or without a region in it."""
        recent = (*self.recent, found)[-BEGIN_WINDOW:]
        if self.began is None:
            began = now if sum(recent) >= BEGIN_FRAMES else None
            return MotionEvent(recent, began, now)
        if not found and now - self.last >= cooldown:
            return MotionEvent()
        return MotionEvent(recent, self.began, now if found else self.last)


def threshold(sensitivity: int) -> tuple[float, float]:
    """(factor, floor): foreground is off by more than factor x its noise + floor.

    Noise is the pixel's mean absolute deviation. From 0 to 100 the factor falls from 7 to 3 and the
    floor from 20 to 5 grey levels of 256; at 50 they are 5 and 10.
    """
    return 7 - 0.04 * sensitivity, 20 * 2 ** (-sensitivity / 50)


def reduction(width: int, height: int) -> int:
    """By how much the picture's sides are divided: 1, or the least even number that will do.

    Even, because bilinear sampling then is the mean of the four pixels in the middle of a block, at
    a tenth of the cost of the whole block's mean.
    """
    factor = 1
    while (width // factor) * (height // factor) > ANALYSED_PIXELS:
        factor = 2 if factor == 1 else factor + 2
    return factor


def elapsed(gap: float, interval: float) -> float | None:
    """Seconds since the last analysed frame; None when what it showed says nothing about this one.

    That is when time ran backwards or is not a number, or was silent for more than 3 s and for more
    than four times the `interval` before: a camera that sends only keyframes is always that slow.
    """
    return gap if 0 <= gap <= max(GAP_SECONDS, GAP_INTERVALS * interval) else None


class Detector:
    """Motion of one camera. One owner: the thread that reads the camera."""

    def __init__(self, config: MotionConfig) -> None:
        self._config = config
        self._factor, self._floor = threshold(config.sensitivity)
        self._view: _View | None = None
        self._event = MotionEvent()
        self._now = 0.0
        self._last, self._interval = math.nan, math.nan

    def due(self, timestamp: float) -> bool:
        """Whether a frame of this time (seconds) is to be analysed."""
        return not 0 <= timestamp - self._last < DUE_SECONDS

    def finish(self) -> float | None:
        """The stream ends here: seconds of the motion that went on, if any did."""
        seconds, self._event, self._view = self._event.seconds, MotionEvent(), None
        return seconds

    def step(self, luma: Plane, timestamp: float) -> Observation:
        """Analyse a frame: its (height, width) luma, rows padded or not, and its time in seconds.

        Costs the caller `due`'s bound only if asked first. A new size or a gap in time starts anew.
        """
        if min(luma.shape) < LEAST_SIDE:
            return Observation(moving=self._event.began is not None)
        gap = timestamp - self._last
        since = elapsed(gap, self._interval)
        self._last, self._interval = timestamp, min(gap, LONGEST_INTERVAL)
        if self._view is None or since is None or self._view.shape != luma.shape:
            ended = self.finish()
            self._view = _View(luma, self._config)
            return Observation(ended=ended)
        self._now += since
        light_change, region = self._view.look(luma, since, self._factor, self._floor)
        before = self._event
        self._event = before.seen(
            self._now, self._config.cooldown_seconds, found=region is not None
        )
        moving = self._event.began is not None
        return Observation(
            moving=moving,
            began=region if moving and before.began is None else None,
            ended=before.seconds if not moving else None,
            region=region,
            light_change=light_change,
        )


class _View:
    """The analysed picture of a stream of one size, with its background. Reuses its planes."""

    def __init__(self, first: Plane, config: MotionConfig) -> None:
        self.shape = first.shape
        height, width = first.shape
        self._by = reduction(width, height)
        self._width, self._height = width // self._by, height // self._by
        self._reduced = np.empty((self._height, self._width), np.uint8)
        self._smooth = np.empty_like(self._reduced)
        self._open = np.empty_like(self._reduced)
        self._watched = watched(self._width, self._height, config.masks)
        self._least = max(1, cv2.countNonZero(self._watched) * config.min_area_permille / 1000)
        self._background = Background(self._reduce(first))

    def look(
        self, luma: Plane, since: float, factor: float, floor: float
    ) -> tuple[bool, Region | None]:
        """Whether the light changed, and what moves, in pixels of the source; then learn."""
        picture = self._reduce(luma)
        foreground = self._background.compare(picture, factor, floor)
        if 2 * cv2.countNonZero(foreground) > foreground.size:
            self._background.restart(picture)
            return True, None
        if self._background.learned < LEARNING_FRAMES:
            self._background.learn(picture, since, None)
            return False, None
        moving = self._opened(foreground, self._watched)
        if moving is not None:
            gain = self._background.gain(picture)
            if abs(gain - 1) > EXPOSURE:
                foreground = self._background.compare(picture, factor, floor, gain)
                moving = self._opened(foreground, moving)
        self._background.learn(picture, since, moving)
        region = largest(moving) if moving is not None else None
        if region is None or region.area < self._least:
            return False, None
        return False, region.scaled(self._by)

    def _opened(self, foreground: Plane, within: Plane) -> Plane | None:
        """What of the foreground is `within`, less its specks; None when that is too little."""
        cv2.bitwise_and(foreground, within, dst=foreground)
        if cv2.countNonZero(foreground) < self._least:
            return None
        cv2.morphologyEx(foreground, cv2.MORPH_OPEN, OPENING, dst=self._open)
        return self._open if cv2.countNonZero(self._open) >= self._least else None

    def _reduce(self, luma: Plane) -> Plane:
        """Bilinear to the analysed size, then the mean of 3 x 3: the noise falls, edges stay."""
        whole = luma[: self._height * self._by, : self._width * self._by]
        size = (self._width, self._height)
        cv2.resize(whole, size, dst=self._reduced, interpolation=cv2.INTER_LINEAR)
        cv2.blur(self._reduced, (3, 3), dst=self._smooth)
        return self._smooth
