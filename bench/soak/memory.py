"""The memory of a pod over time, and whether it is flat. Pure.

Flat: at its end it holds about what it held once it was warm. The first quarter is not looked at:
rings fill, and allocators keep what was used once. What is compared are medians, as a look may fall
upon a picture that is being encoded.
"""

from collections.abc import Sequence
from statistics import median
from typing import Final

import msgspec

GROWTH: Final = 1.05  # of what it held when it was warm
SLACK: Final = 1e6  # bytes; a small program's heap grows by whole arenas

_QUARTERS: Final = 4
_BARS: Final = "▁▂▃▄▅▆▇█"
_COLUMNS: Final = 48


class Curve(msgspec.Struct, frozen=True):
    """What one pod held, look by look.

    Attributes:
        pod: Its name.
        held: Bytes of anonymous memory of all its processes, at even distances.
        hours: From the first look to the last one.
        cores: Of CPU that it used on average.
    """

    pod: str
    held: tuple[int, ...]
    hours: float
    cores: float

    @property
    def warm(self) -> float:
        """Bytes in the second quarter."""
        return self._in_quarter(1)

    @property
    def ended(self) -> float:
        """Bytes in the last quarter."""
        return self._in_quarter(_QUARTERS - 1)

    @property
    def hourly(self) -> float:
        """Bytes that it grew by in an hour, from the second quarter to the last one."""
        return (self.ended - self.warm) / (self.hours / 2)

    @property
    def flat(self) -> bool:
        return self.ended <= self.warm * GROWTH + SLACK

    def _in_quarter(self, number: int) -> float:
        return median(_part(self.held, number, _QUARTERS))

    def drawn(self) -> str:
        """The curve as bars, from its lowest to its highest look."""
        columns = min(_COLUMNS, len(self.held))
        lowest, highest = min(self.held), max(self.held)
        step = (highest - lowest) / (len(_BARS) - 1) or 1
        means = [median(_part(self.held, number, columns)) for number in range(columns)]
        return "".join(_BARS[round((mean - lowest) / step)] for mean in means)


def _part(values: Sequence[int], number: int, parts: int) -> Sequence[int]:
    """The part of this number, from 0; never empty if there are as many values as parts."""
    begin, end = (len(values) * part // parts for part in (number, number + 1))
    return values[begin:end]
