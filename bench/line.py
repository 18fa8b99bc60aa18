"""One line of a benchmark: what was measured, what it may be, and whether it is. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

TIMES: Final = "\N{MULTIPLICATION SIGN}"
"""The unit of a ratio."""

_NONE: Final = "\N{EN DASH}"


class Verdict(StrEnum):
    MET = "met"
    MISSED = "MISSED"
    TOLD = _NONE  # no budget: told for its own sake
    NOT_RUN = "not run"


@dataclass(frozen=True, slots=True)
class Budget:
    """A bound, in the line's unit, below or above which the value must not be."""

    bound: float
    at_most: bool = True

    def __str__(self) -> str:
        return f"{'≤' if self.at_most else '≥'} {self.bound:g}"


@dataclass(frozen=True, slots=True)
class Line:
    """A figure and its budget.

    Attributes:
        what: In words, for a table's first column.
        value: In `unit`; None when it could not be measured, and `detail` says why.
        unit: Such as TIMES, MB, ms.
        detail: The figures behind the value.
    """

    what: str
    value: float | None
    unit: str
    budget: Budget | None = None
    detail: str = ""

    @property
    def verdict(self) -> Verdict:
        if self.value is None:
            return Verdict.NOT_RUN
        if self.budget is None:
            return Verdict.TOLD
        over = self.value > self.budget.bound
        return Verdict.MET if over is not self.budget.at_most or self._equal else Verdict.MISSED

    @property
    def _equal(self) -> bool:
        return self.budget is not None and self.value == self.budget.bound

    @property
    def figure(self) -> str:
        if self.value is None:
            return _NONE
        digits = 0 if self.value >= 100 or self.unit == "cameras" else 2
        return f"{self.value:.{digits}f} {self.unit}"

    @property
    def allowed(self) -> str:
        return f"{self.budget} {self.unit}" if self.budget else ""

    def __str__(self) -> str:
        verdict = "" if self.verdict is Verdict.TOLD else self.verdict.value
        return f"  {self.what:<62}{self.figure:>12}  {self.allowed:<14}{verdict:<8}{self.detail}"


def table(lines: Iterable[Line]) -> str:
    """A table in Markdown."""
    rows = ["| what | measured | budget | verdict | behind it |", "|---|---|---|---|---|"]
    rows += [
        f"| {line.what} | {line.figure} | {line.allowed} | {line.verdict.value} | {line.detail} |"
        for line in lines
    ]
    return "\n".join(rows)
