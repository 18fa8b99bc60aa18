"""What consumers heard of an outage: `frame.ingested` events, by camera. Pure.

This is the stricter truth: a frame counts when a worker has it in its ring and says so. It is told
by when it was captured, which the worker works out to within some tens of milliseconds, so a frame
is missing only where half an interval more than one has passed. An event that was lost on its way,
as Pub/Sub may do, looks like a frame that was lost; the numbers of the events tell of it, so it is
told beside.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from bench.reliability.truth import Outcome, Window, judged

_TWO_READ: Final = 0.25  # s; more than two workers' capture times of one frame are apart
_ON_ITS_WAY: Final = 1.0  # s; a worker tells of a frame when the next one has come


@dataclass(frozen=True, slots=True)
class Heard:
    """One event of a camera.

    Attributes:
        source: The worker, and which of its processes.
        epoch: Of the camera's assignment.
        sequence: Grows by one with each event of (source, epoch), of whatever type.
        captured: Unix seconds; None: an event of another type.
    """

    source: str
    epoch: int
    sequence: int
    captured: float | None


def outcome(events: Iterable[Heard], window: Window, fps: int) -> Outcome:
    """Judge one camera by its events up to a second before the window's end."""
    end = window.ended - _ON_ITS_WAY
    times = sorted(
        one.captured
        for one in events
        if one.captured is not None and window.began < one.captured < end
    )
    return judged(pairwise((window.began, *times, end)), fps, slack=0.5 / fps)


def missing(events: Iterable[Heard]) -> int:
    """Events that were numbered, between others that came, and never came themselves."""
    return sum(
        max(numbers) - min(numbers) + 1 - len(numbers) for numbers in _numbers(events).values()
    )


def since(before: Iterable[Heard], after: Iterable[Heard]) -> tuple[int, int]:
    """Events of a camera after the last of `before`: how many were numbered, and how many came."""
    known = _numbers(before)
    numbered = came = 0
    for scope, numbers in _numbers(after).items():
        last = max(known.get(scope, {min(numbers) - 1}))
        new = [number for number in numbers if number > last]
        numbered += max(new, default=last) - last
        came += len(new)
    return numbered, came


def read_by_two(events: Iterable[Heard]) -> Iterator[tuple[str, str, float]]:
    """Each two assignments under which one camera was read at once, and for how many seconds."""
    times: dict[tuple[str, int], list[float]] = defaultdict(list)
    for one in events:
        if one.captured is not None:
            times[one.source, one.epoch].append(one.captured)
    spans = sorted((min(found), max(found), source) for (source, _), found in times.items())
    for number, (_, ended, source) in enumerate(spans):
        for began, other_ended, other in spans[number + 1 :]:
            both = min(ended, other_ended) - began
            if both > _TWO_READ:
                yield source, other, both


def _numbers(events: Iterable[Heard]) -> Mapping[tuple[str, int], set[int]]:
    found: dict[tuple[str, int], set[int]] = defaultdict(set)
    for one in events:
        found[one.source, one.epoch].add(one.sequence)
    return found
