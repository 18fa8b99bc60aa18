"""Synthetic scenes with their ground truth: what a camera sees, and where something moves in it.

Promises that a frame depends on kind, size, fps, seed and index only, never on the frames drawn
before, and that a scene repeats (but for its noise) every `period` frames, so that a clip of one
period loops as the scene itself goes on. All times are scene seconds, index / fps:

- `still`: nothing moves, good light, little noise. Period 20 s.
- `object`: somebody walks across from 4 s to 12 s of every 20 s.
- `noise`: nothing moves, a sensor with much noise. Period 20 s.
- `slow_light`: sun and clouds, ±40 % in 60 s.
- `sudden_light`: a lamp goes on at 15 s and off at 45 s of every 60 s.
- `day_night`: the infrared filter switches to night at 30 s and to day at 90 s of every 120 s.
- `rain`: streaks all over the picture. Period 20 s.
"""

from typing import Protocol

import numpy as np
import numpy.typing as npt

from ingest_simulator import light
from ingest_simulator.grain import DAY, GRAINY, Grain
from ingest_simulator.light import Light
from ingest_simulator.rain import Rain
from ingest_simulator.view import view
from ingest_simulator.walker import PERIOD, Box, Walker

__all__ = ["SCENES", "Box", "Scene", "make"]

SCENES: tuple[str, ...] = (
    "still",
    "object",
    "noise",
    "slow_light",
    "sudden_light",
    "day_night",
    "rain",
)


class Scene(Protocol):
    """What a camera looks at. Any thread may draw any frame, in any order."""

    @property
    def width(self) -> int: ...
    @property
    def height(self) -> int: ...
    @property
    def fps(self) -> int: ...
    @property
    def seed(self) -> int: ...
    @property
    def period(self) -> int:
        """Frames after which the scene repeats: the length of a clip that loops."""

    def luma(self, index: int) -> npt.NDArray[np.uint8]:
        """(height, width) luma of frame `index`."""

    def boxes(self, index: int) -> tuple[Box, ...]:
        """Ground truth: where something moves in frame `index`."""


def make(kind: str, *, width: int, height: int, fps: int, seed: int = 0) -> Scene:
    """Draw up the scene of this kind; ValueError for a kind that is not among `SCENES`."""
    lit, seconds = light.steady(DAY), PERIOD
    walker, rain = None, None
    match kind:
        case "still":
            pass
        case "object":
            walker = Walker(width, height, seed)
        case "noise":
            lit = light.steady(GRAINY)
        case "slow_light":
            lit, seconds = light.clouds(width), light.CLOUD_PERIOD
        case "sudden_light":
            lit, seconds = light.lamp(width, height), light.LAMP_PERIOD
        case "day_night":
            lit, seconds = light.infrared(width, height), light.DAY_PERIOD
        case "rain":
            rain = Rain(width, height, seed)
        case _:
            raise ValueError(f"no scene {kind!r}: choose from {', '.join(SCENES)}")
    return _Drawn(
        width=width,
        height=height,
        fps=fps,
        seed=seed,
        lit=lit,
        period=round(seconds * fps),
        walker=walker,
        rain=rain,
    )


class _Drawn:
    """A view under a light, perhaps with somebody in it or rain before it. Immutable."""

    def __init__(
        self,
        *,
        width: int,
        height: int,
        fps: int,
        seed: int,
        lit: Light,
        period: int,
        walker: Walker | None,
        rain: Rain | None,
    ) -> None:
        self.width, self.height, self.fps, self.seed = width, height, fps, seed
        self.period = period
        self._view = view(width, height, seed)
        self._grain = Grain(width, height, seed)
        self._lit, self._walker, self._rain = lit, walker, rain

    def luma(self, index: int) -> npt.NDArray[np.uint8]:
        seconds = index / self.fps
        lit = self._lit(seconds)
        picture = self._view * lit.gain
        if self._walker is not None:
            self._walker.draw(picture, seconds, lit.bright)
        if self._rain is not None:
            self._rain.draw(picture, index)
        return self._grain.expose(picture, lit.sensor, index)

    def boxes(self, index: int) -> tuple[Box, ...]:
        box = self._walker.box(index / self.fps) if self._walker is not None else None
        return () if box is None else (box,)
