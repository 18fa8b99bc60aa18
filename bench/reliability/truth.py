"""What a camera knows of an outage, by the simulator's own record of who was connected when. Pure.

A session brings a frame each interval from its first to its newest; the record has both. Frames of
several sessions are put together by when they were captured. Between two that follow each other, a
hole is what the clock of the earlier session would have brought before the later one began. So two
sessions that overlap leave no hole, and two that do not leave one even where it is shorter than an
interval.

The record has a limit: what the kernel of a dead host never acknowledged counts as sent. So a host
that was killed or cut off is a `Cut`, and ends its sessions at the fault's own instant.
"""

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from ingest_simulator.session import SessionRecord
from tests.cluster.sessions import Freeze

_SAME_INSTANT: Final = 1e-3  # s; two clocks' readings that differ by less are one
_FRESH: Final = 1.0  # s; of a camera that sends five frames a second


@dataclass(frozen=True, slots=True)
class Cut:
    """From `at` on nobody at `host` received what it had asked for before. Unix seconds; an IP."""

    at: float
    host: str


@dataclass(frozen=True, slots=True)
class Window:
    """What is judged: from just before a fault until all is well again. Unix seconds."""

    began: float
    ended: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one camera in a window.

    Attributes:
        gap: Longest time from one frame to the next, seconds; the frame interval where all is well.
        gap_frames: Frames of the camera's clock that went to nobody in that time.
        lost: The same in all of the window.
    """

    gap: float
    gap_frames: int
    lost: int


@dataclass(frozen=True, slots=True)
class _Sent:
    """Capture times of the first and the last frame of a session that were received."""

    first: float
    last: float


def outcome(
    sessions: Iterable[SessionRecord], cuts: Sequence[Cut], window: Window, fps: int
) -> Outcome:
    """Judge one camera by all of its sessions, as they were told right after the window's end."""
    sent = sorted(_received(sessions, cuts, fps), key=lambda one: one.first)
    return judged(_gaps(sent, window), fps)


def judged(gaps: Iterable[tuple[float, float]], fps: int, slack: float = _SAME_INSTANT) -> Outcome:
    """Judge times from one frame to the next; `slack`: seconds by which a time may be wrong."""
    lost = [
        (until - after, max(0, math.ceil((until - after - slack) * fps) - 1))
        for after, until in gaps
    ]
    longest, frames = max(lost, default=(0.0, 0))
    return Outcome(max(longest, 1 / fps), frames, sum(count for _, count in lost))


def read_by(sessions: Iterable[SessionRecord], at: float) -> frozenset[str]:
    """The hosts that were being sent frames at an instant."""
    return frozenset(
        host_of(one)
        for one in sessions
        if one.first_frame is not None
        and one.first_frame <= at
        and (one.closed is None or one.closed >= at)
    )


def flows(sessions: Iterable[SessionRecord], cuts: Sequence[Cut], now: float) -> bool:
    """Whether somebody is receiving a camera's frames."""
    return any(
        one.closed is None
        and one.last_frame is not None
        and one.last_frame > now - _FRESH
        and not any(_cut_off(one, cut) for cut in cuts)
        for one in sessions
    )


def silent(sessions: Mapping[str, Iterable[SessionRecord]], cuts: Sequence[Cut], now: float) -> str:
    """A sentence about the cameras whose frames nobody is receiving; empty: there is none."""
    found = [name for name, every in sessions.items() if not flows(every, cuts, now)]
    return f"nobody receives: {', '.join(found)}" if found else ""


def excuses(sessions: Iterable[SessionRecord], cuts: Sequence[Cut]) -> list[Freeze]:
    """Overlaps that the record alone shows: of sessions whose end the camera could not see.

    The camera finds out when TCP gives up, which may be long after the host is back. Whether their
    client received anything then is for `heard` to tell.
    """
    known = list(sessions)
    return [
        Freeze(cut.at, math.inf, frozenset(one.client for one in known if _cut_off(one, cut)))
        for cut in cuts
    ]


def host_of(session: SessionRecord) -> str:
    return session.client.rpartition(":")[0]


def _cut_off(session: SessionRecord, cut: Cut) -> bool:
    return (
        host_of(session) == cut.host
        and session.opened <= cut.at
        and (session.closed is None or session.closed >= cut.at)
    )


def _received(
    sessions: Iterable[SessionRecord], cuts: Collection[Cut], fps: int
) -> Iterator[_Sent]:
    for one in sessions:
        if one.first_frame is None or one.last_frame is None:
            continue
        ends = [cut.at for cut in cuts if _cut_off(one, cut)]
        last = math.inf if one.closed is None else one.last_frame
        if ends:
            whole = math.floor((min(ends) - one.first_frame) * fps) / fps
            last = min(one.last_frame, one.first_frame + whole)
        if one.first_frame <= last:
            yield _Sent(one.first_frame, last)


def _gaps(sent: Iterable[_Sent], window: Window) -> Iterator[tuple[float, float]]:
    """(a frame, the next one) wherever no session brought both, within the window."""
    newest = window.began
    for one in sent:
        if one.first >= window.ended:
            break
        if newest < one.first:
            yield newest, one.first
        newest = max(newest, one.last)
    if newest < window.ended:
        yield newest, window.ended
