"""The memory of a pod over time, and whether it is flat. Pure.

Flat: in its last quarter it holds about what it held in the one before. The first half is not
looked at: rings fill, and allocators keep what was used once. What is compared are medians, as a
look may fall upon a picture that is being encoded. What decoders leave of a heap makes a worker's
go up and down by some per cent for no reason; so all pods together are held to less.
"""

from collections.abc import Sequence
from statistics import median
from typing import Final

import msgspec

GROWTH: Final = 1.05  # of what one pod held when it was warm
TOGETHER: Final = 1.01  # the same of all
SLACK: Final = 1e6  # bytes; a small program's heap grows by whole arenas

_QUARTERS: Final = 4
_BARS: Final = "▁▂▃▄▅▆▇█"
_COLUMNS: Final = 48


class Curve(msgspec.Struct, frozen=True):
    """What one pod held, look by look.

    Attributes:
        pod: Its name.
        held: Bytes of anonymous memory of all its processes, at even distances.
        cores: Of CPU that it used on average.
    """

    pod: str
    held: tuple[int, ...]
    cores: float

    @property
    def warm(self) -> float:
        """Bytes in the third quarter."""
        return self._in_quarter(2)

    @property
    def ended(self) -> float:
        """Bytes in the last quarter."""
        return self._in_quarter(3)

    def is_flat(self, growth: float = GROWTH) -> bool:
        return self.ended <= self.warm * growth + SLACK

    def _in_quarter(self, number: int) -> float:
        return median(_part(self.held, number, _QUARTERS))

    def drawn(self) -> str:
        """The curve as bars, from its lowest to its highest look."""
        columns = min(_COLUMNS, len(self.held))
        lowest, highest = min(self.held), max(self.held)
        step = (highest - lowest) / (len(_BARS) - 1) or 1
        means = [median(_part(self.held, number, columns)) for number in range(columns)]
        return "".join(_BARS[round((mean - lowest) / step)] for mean in means)


def together(curves: Sequence[Curve]) -> Curve:
    """The curve of all pods, as if they were one; of each there are as many looks."""
    held = tuple(map(sum, zip(*(curve.held for curve in curves), strict=True)))
    return Curve("all together", held, sum(curve.cores for curve in curves))


def _part(values: Sequence[int], number: int, parts: int) -> Sequence[int]:
    """The part of this number, from 0; never empty if there are as many values as parts."""
    begin, end = (len(values) * part // parts for part in (number, number + 1))
    return values[begin:end]
