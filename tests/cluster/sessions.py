"""Who read an Exclusive camera beside whom, by what the camera itself saw. Pure.

A process that is frozen cannot close what it holds. So a session of one that was frozen may overlap
with the next one: from while it was frozen until it has had time to close it. Nothing else may.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

from ingest_simulator.session import SessionRecord

LET_GO_SECONDS: Final = 10.0  # in which one that woke has closed; wide, as this machine may be slow


@dataclass(frozen=True, slots=True)
class Freeze:
    """A process that stood still: wall clock's seconds, and its ends of connections then."""

    began: float
    woke: float
    clients: frozenset[str]  # host:port


def overlaps(
    name: str, sessions: Iterable[SessionRecord], frozen: Sequence[Freeze], now: float
) -> Iterator[str]:
    """A sentence for each two sessions that played at once, and had to do so by no freeze.

    Args:
        name: Of the camera.
        sessions: All of it.
        frozen: Whoever was.
        now: Wall clock's seconds: until when a session has played that is open still.
    """
    played = sorted(
        (one.playing, one.closed or now, one.client) for one in sessions if one.playing is not None
    )
    for (_, ended, one), (began, other_ended, other) in combinations(played, 2):
        until = min(ended, other_ended)
        if began < until and not any(
            not freeze.clients.isdisjoint((one, other))
            and freeze.began <= began
            and until <= freeze.woke + LET_GO_SECONDS
            for freeze in frozen
        ):
            yield f"{name} was read by two ({one}, {other}) for {until - began:.3f} s"
