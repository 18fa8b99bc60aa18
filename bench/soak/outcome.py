"""What came of a soak, as a value: what must hold, what was seen."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from bench.reliability import truth
from bench.reliability.result import SessionKind
from bench.reliability.truth import Window
from bench.soak import memory
from bench.soak.memory import Curve, together
from ingest_simulator.session import SessionRecord
from tests.cluster.sessions import overlaps


class Count(msgspec.Struct, frozen=True, kw_only=True):
    """Frames of each camera, and events of all, since they were first counted.

    Attributes:
        sent: By the simulator's record.
        taken: Into the workers' rings, by their own.
        spoilt: Dropped by workers, or refused by their decoders.
        dropped_events: By workers.
    """

    sent: Mapping[str, int]
    taken: Mapping[str, int]
    spoilt: Mapping[str, int]
    dropped_events: int

    def since(self, before: "Count") -> "Count":
        """What has come to it."""
        return Count(
            sent=_more(self.sent, before.sent),
            taken=_more(self.taken, before.taken),
            spoilt=_more(self.spoilt, before.spoilt),
            dropped_events=self.dropped_events - before.dropped_events,
        )


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """Of one run.

    Attributes:
        minutes: How long it was.
        seed: Of its course.
        faults: How many cameras had which, by kind.
        cut: How often a camera ended its sessions.
        sessions: Opened by the workers in all.
        unharmed: Cameras that never had a fault.
        sent: Frames, by those.
        taken: Of these frames, into the workers' rings.
        lines: Read, of logs.
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
    sent: int
    taken: int
    lines: int
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
        if every and every[0].number != 1:
            yield f"{name} had more sessions than the simulator remembers"
        if kinds[name] == "Exclusive":
            yield from overlaps(name, every, (), now)


def losses(
    sessions: Mapping[str, Sequence[SessionRecord]],
    unharmed: Iterable[str],
    window: Window,
    fps: int,
) -> Iterator[str]:
    """A sentence for each camera that was well and had no session for a frame. Unix seconds."""
    for name in unharmed:
        found = truth.outcome(sessions[name], (), window, fps)
        if found.lost:
            yield f"{name} was well, and nobody read {found.lost} frames"


def shortfalls(count: Count, unharmed: Iterable[str], fps: int) -> Iterator[str]:
    """A sentence for each camera that was well and of which not every frame was taken.

    A second's worth of frames may be on its way.
    """
    for name in unharmed:
        sent, taken = count.sent[name], count.taken.get(name, 0)
        if sent - taken > fps:
            yield f"{name} was well, and of its {sent} frames {taken} were taken"
        if spoilt := count.spoilt.get(name, 0):
            yield f"{name} was well, and {spoilt} of its frames were dropped or not decoded"
    if count.dropped_events:
        yield f"{count.dropped_events} events were dropped"


def growth(curves: Sequence[Curve]) -> Iterator[str]:
    """A sentence for each pod whose memory is not flat, and one if that of all together is not."""
    bounds = [*((one, memory.GROWTH) for one in curves), (together(curves), memory.TOGETHER)]
    for curve, most in bounds:
        if not curve.is_flat(most):
            grown = f"{curve.warm / 1e6:.0f} to {curve.ended / 1e6:.0f} MB"
            yield f"{curve.pod} grew from {grown}"


def _more(now: Mapping[str, int], before: Mapping[str, int]) -> Mapping[str, int]:
    found = Counter(now)
    found.subtract(before)
    return found
