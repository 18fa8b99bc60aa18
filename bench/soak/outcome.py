"""What came of a soak, as a value: what must hold, what was seen."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from bench.reliability import truth
from bench.reliability.result import SessionKind
from bench.reliability.truth import Window
from bench.soak.memory import Curve
from ingest_simulator.session import SessionRecord
from tests.cluster.sessions import overlaps


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """Of one run.

    Attributes:
        minutes: How long it was.
        seed: Of its course.
        faults: How many cameras had which, by kind.
        cut: How often a camera ended its sessions.
        sessions: Opened by the workers in all.
        unharmed: Cameras that never had a fault.
        curves: Of each pod.
        broken: A sentence for each rule that did not hold.
    """

    date: str
    machine: str
    minutes: float
    seed: int
    faults: dict[str, int]
    cut: int
    sessions: int
    unharmed: int
    curves: tuple[Curve, ...]
    broken: tuple[str, ...]


def leaks(
    sessions: Mapping[str, Sequence[SessionRecord]], kinds: Mapping[str, SessionKind], now: float
) -> Iterator[str]:
    """A sentence for each camera that is read more than once, or was and must not be."""
    for name, every in sessions.items():
        living = [one for one in every if one.closed is None]
        if len(living) != 1:
            yield f"{name} has {len(living)} sessions"
        if kinds[name] == "Exclusive":
            yield from overlaps(name, every, (), now)


def losses(
    sessions: Mapping[str, Sequence[SessionRecord]],
    unharmed: Iterable[str],
    window: Window,
    fps: int,
) -> Iterator[str]:
    """A sentence for each camera that was well and lost frames all the same. Unix seconds."""
    for name in unharmed:
        found = truth.outcome(sessions[name], (), window, fps)
        if found.lost:
            yield f"{name} was well, and lost {found.lost} frames"


def growth(curves: Iterable[Curve]) -> Iterator[str]:
    """A sentence for each pod whose memory is not flat."""
    for curve in curves:
        if not curve.flat:
            grown = f"{curve.warm / 1e6:.0f} to {curve.ended / 1e6:.0f} MB"
            yield f"{curve.pod} grew from {grown}"
