"""A camera while it is served: its fault of now, its sessions, the last frames that it sent.

Owned by the simulator, fed by connections. Promises: history and log are bounded.
"""

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from ingest_simulator.camera import SimulatedCamera
from ingest_simulator.session import SentFrame, Session

if TYPE_CHECKING:
    from ingest_simulator.faults import Fault

MAX_HISTORY = 1000


class LiveCamera:
    def __init__(self, camera: SimulatedCamera, *, log_size: int) -> None:
        self.camera = camera
        self.fault: Fault | None = None
        self.frames_sent = 0
        self.log: deque[SentFrame] = deque(maxlen=log_size)
        self.history: deque[Session] = deque(maxlen=MAX_HISTORY)
        self.living: dict[int, Session] = {}
        self._opened = 0

    def open(self, client: str, opened: float, reset: Callable[[], None]) -> Session:
        """Begin a session; `reset` ends its connection by RST."""
        self._opened += 1
        session = Session(self._opened, client, opened, reset)
        self.living[session.number] = session
        self.history.append(session)
        return session

    def close(self, session: Session, now: float, end: str) -> None:
        session.closed = now
        session.end = session.end or end
        self.living.pop(session.number, None)

    def sent(self, session: Session, frame: SentFrame) -> None:
        session.sent(frame.captured)
        self.frames_sent += 1
        self.log.append(frame)

    @property
    def busy(self) -> bool:
        """Whether one more session would be one too many."""
        limit = self.camera.session_limit
        set_up = sum(session.transport is not None for session in self.living.values())
        return bool(limit) and set_up >= limit
