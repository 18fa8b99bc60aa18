"""How the light on a scene, and with it the camera's exposure, changes with time.

Each `Light` turns seconds of scene time into a `Lit`: what to multiply the view with, and the
sensor's state. Promises values only: no memory of an earlier frame, so any can be drawn alone.
"""

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ingest_simulator.grain import DAY, NIGHT, Sensor

CLOUD_PERIOD = 60.0
LAMP_PERIOD = 60.0
"""Off and on for half of it each: a switch every 30 s."""
DAY_PERIOD = 120.0
"""Day and night for half of it each: a switch every 60 s."""
SETTLING = 0.6
"""Time constant in seconds of the camera's automatic exposure."""
SWITCHING = 0.4
"""Seconds in which the infrared filter moves and the picture is nearly white or black."""


@dataclass(frozen=True, slots=True)
class Lit:
    """`gain` broadcasts to (height, width); `bright` is its mean, for things put into the view."""

    gain: npt.NDArray[np.float32]
    bright: float
    sensor: Sensor


class Light(Protocol):
    def __call__(self, seconds: float) -> Lit: ...


def steady(sensor: Sensor) -> Light:
    lit = Lit(np.ones((1, 1), np.float32), 1.0, sensor)
    return lambda seconds: lit  # noqa: ARG005 - a light that does not change


def clouds(width: int) -> Light:
    """Sun and clouds: ±40 % within a minute, the cloud's edge crossing from left to right."""
    lag = np.linspace(0, 0.8, width, dtype=np.float32)[None, :]

    def light(seconds: float) -> Lit:
        turn = 2 * math.pi * seconds / CLOUD_PERIOD
        gain = 1 + np.float32(0.4) * np.sin(np.float32(turn) - lag)
        return Lit(gain, float(gain.mean()), DAY)

    return light


def lamp(width: int, height: int) -> Light:
    """A ceiling lamp on and off: at once, unevenly, then the exposure pulls part of it back."""
    x = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    y = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    shine = 0.45 + 0.35 * np.exp(-(x**2 + y**2))

    def light(seconds: float) -> Lit:
        second, since = _halves(seconds, LAMP_PERIOD)
        pulled = 1 - math.exp(-since / SETTLING)
        if second:
            gain = (1 - 0.25 * pulled) * (0.7 + shine)
        else:
            gain = np.full((1, 1), (0.75 + 0.25 * pulled) * 0.7, np.float32)
        return Lit(gain.astype(np.float32), float(gain.mean()), DAY)

    return light


def infrared(width: int, height: int) -> Light:
    """Day in good light, night dark and noisy under the camera's own infrared lamp.

    In between the filter moves: a moment of black, then the exposure settles. The infrared lamp
    lights the middle more than the corners, so grey levels change by more than one factor.
    """
    x = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    spot = 0.15 + 0.35 * np.exp(-1.2 * (x**2 + y**2))

    def light(seconds: float) -> Lit:
        night, since = _halves(seconds, DAY_PERIOD)
        overshoot = math.exp(-max(since - SWITCHING, 0) / SETTLING)
        if since < SWITCHING:
            gain, sensor = np.full((1, 1), 0.05, np.float32), NIGHT
        elif night:
            gain, sensor = spot * (1 - 0.6 * overshoot), NIGHT
        else:
            gain, sensor = np.full((1, 1), 1 + 0.5 * overshoot, np.float32), DAY
        return Lit(gain.astype(np.float32), float(gain.mean()), sensor)

    return light


def _halves(seconds: float, period: float) -> tuple[bool, float]:
    """Which half of the period it is, and since when; time 0 lies in the middle of the first."""
    phase = (seconds + period / 4) % period
    return phase >= period / 2, phase % (period / 2)
