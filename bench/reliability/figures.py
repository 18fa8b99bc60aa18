"""From repetitions to the figures that are published, and whether they are within budget. Pure."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench.line import Verdict
from bench.reliability.result import Measured, Repetition, SessionKind


@dataclass(frozen=True, slots=True)
class Budget:
    """What must hold; a bound that is None was not asked for.

    Attributes:
        p99: Of the gap, seconds.
        lost: Frames of affected cameras, in all.
        others: Frames of all other cameras, in all.
    """

    p99: float | None = None
    lost: int | None = None
    others: int | None = None

    def __str__(self) -> str:
        bounds = (
            (self.p99, f"p99 ≤ {self.p99:g} s" if self.p99 is not None else ""),
            (self.lost, f"{self.lost} lost"),
            (self.others, f"{self.others} lost by others"),
        )
        return ", ".join(text for bound, text in bounds if bound is not None)


@dataclass(frozen=True, slots=True)
class Spread:
    """Of many values: the median, the 99th percentile, the largest (nearest rank)."""

    p50: float
    p99: float
    worst: float


@dataclass(frozen=True, slots=True)
class Figures:
    """Of all cameras of one kind in all repetitions.

    Attributes:
        samples: Affected cameras of all repetitions.
        gap: Seconds.
        gap_frames: Frames in that gap.
        lost: Frames that no session was sent, of affected cameras, in all.
        untold: Frames that no worker told of, of affected cameras, in all; None: not listened.
        others: Frames that no session was sent, of the other cameras, in all; None: there are none.
    """

    samples: int
    gap: Spread
    gap_frames: Spread
    lost: int
    untold: int | None
    others: int | None


def spread(values: Sequence[float]) -> Spread:
    """Raises ValueError of none."""
    if not values:
        raise ValueError("no values")
    ordered = sorted(values)

    def rank(part: float) -> float:
        return ordered[max(0, math.ceil(part * len(ordered)) - 1)]

    return Spread(rank(0.5), rank(0.99), ordered[-1])


def figures(repetitions: Iterable[Repetition], session: SessionKind) -> Figures | None:
    """None: no camera of this kind was affected."""
    kind = [
        camera
        for repetition in repetitions
        for camera in repetition.cameras
        if camera.session == session
    ]
    affected = [camera for camera in kind if camera.affected]
    if not affected:
        return None
    others = [camera.sent.lost for camera in kind if not camera.affected]
    told = [camera.told for camera in affected if camera.told is not None]
    return Figures(
        samples=len(affected),
        gap=spread([camera.sent.gap for camera in affected]),
        gap_frames=spread([camera.sent.gap_frames for camera in affected]),
        lost=sum(camera.sent.lost for camera in affected),
        untold=sum(one.lost for one in told) if told else None,
        others=sum(others) if others else None,
    )


def verdict(found: Figures, budget: Budget | None) -> Verdict:
    if budget is None:
        return Verdict.TOLD
    kept = (
        (budget.p99 is None or found.gap.p99 <= budget.p99)
        and (budget.lost is None or found.lost <= budget.lost)
        and (budget.others is None or (found.others is not None and found.others <= budget.others))
    )
    return Verdict.MET if kept else Verdict.MISSED


def faults(measured: Measured) -> list[str]:
    """What must not be said of a scenario, as sentences; of an account, once if it is not exact."""
    said = [text for repetition in measured.repetitions for text in repetition.violations]
    said += [
        f"of {account.produced} events {account.heard} were heard and {account.dropped} counted "
        "as dropped"
        for account in (repetition.account for repetition in measured.repetitions)
        if account is not None and not account.exact
    ]
    if measured.broken_off:
        done = f"{len(measured.repetitions)} of {measured.asked}"
        said.append(f"broken off after {done} times: {measured.broken_off}")
    return said
