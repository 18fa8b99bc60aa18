"""The events that wait for Redis: bounded, newest kept, in two lanes. Pure: its owner locks it.

`frame.ingested` comes hundreds of times a second and is worth nothing when it is old; every other
event is rare and matters. So each has its own bound, and a flood of frames never pushes out a
`camera.disconnected`. What is pushed out is the oldest of the same lane, and is handed back to be
counted. `take` mixes the lanes in the order in which they were offered.
"""

from collections import deque
from collections.abc import Sequence

from ingest_core.events import Event, FrameIngested
from ingest_worker.delivery import Entry, places


class Outbox:
    """At most `max_frames` + `max_states` events, of less than 1 kB each."""

    def __init__(self, max_frames: int, max_states: int) -> None:
        self._frames: deque[Entry] = deque()
        self._states: deque[Entry] = deque()
        self._max_frames = max_frames
        self._max_states = max_states
        self._offered = 0

    def __len__(self) -> int:
        return len(self._frames) + len(self._states)

    @property
    def urgent(self) -> bool:
        """Whether anything but frames waits."""
        return bool(self._states)

    def add(self, event: Event) -> Entry | None:
        """Append; returns what it pushed out."""
        self._offered += 1
        entry = Entry(self._offered, event, places(event))
        if isinstance(event.data, FrameIngested):
            self._frames.append(entry)
            return self._frames.popleft() if len(self._frames) > self._max_frames else None
        self._states.append(entry)
        return self._states.popleft() if len(self._states) > self._max_states else None

    def take(self, limit: int) -> list[Entry]:
        """Remove the oldest, at most `limit`, in order of offering."""
        frames, states = self._frames, self._states
        taken: list[Entry] = []
        while len(taken) < limit and (frames or states):
            first = not states or (frames and frames[0].ordinal < states[0].ordinal)
            taken.append(frames.popleft() if first else states.popleft())
        return taken

    def restore(self, entries: Sequence[Entry]) -> list[Entry]:
        """Put back, in front, what was taken last; returns what did not fit any more."""
        for entry in reversed(entries):
            frame = isinstance(entry.event.data, FrameIngested)
            (self._frames if frame else self._states).appendleft(entry)
        pushed_out = []
        for lane, bound in ((self._frames, self._max_frames), (self._states, self._max_states)):
            pushed_out += [lane.popleft() for _ in range(len(lane) - bound)]
        return pushed_out

    def clear(self) -> list[Entry]:
        """Remove and return everything."""
        return self.take(len(self))
