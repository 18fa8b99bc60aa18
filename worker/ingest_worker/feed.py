"""One camera in this worker: its ring, newest picture, counters, state, and numbers of its frames.

Written by one thread at a time (that of its session, or the event loop for a push camera), read by
the event loop; a lock covers what both touch, for the time of a look. It outlives sessions and
restarts, so that numbers go on as long as the assignment does.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ingest_core import events, names
from ingest_core.errors import Failure, FrameGone
from ingest_core.events import Event, SourceKind
from ingest_core.live import Live
from ingest_core.model import Camera, ConnectedReason, Reason
from ingest_worker.pace import Pace
from ingest_worker.picture import Picture
from ingest_worker.ring import Codec, Frame, Ring
from ingest_worker.teller import Teller
from ingest_worker.watch import Watch

PUSH_PATIENCE_SECONDS: Final = 10.0
PATIENCE_INTERVALS: Final = 5
MOST_PATIENCE_SECONDS: Final = 60.0  # that frame intervals may add up to; more must be set


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest frame that may be shown.

    Attributes:
        frame: As it was sent.
        picture: As it was decoded; None for a JPEG that was pushed.
        captured: Capture time on this machine's monotonic clock, which nobody can set back.
    """

    frame: Frame
    picture: Picture | None
    captured: float


@dataclass(frozen=True, slots=True)
class State:
    """What the condition Connected says; `since` is Unix seconds."""

    connected: bool
    reason: Reason
    message: str
    since: float


class Feed:
    """See the module. `changed` is called, from any thread, when what `state` says changed."""

    def __init__(
        self,
        camera: Camera,
        *,
        worker: str,
        incarnation: int,
        offer: Callable[[Event], None],
        changed: Callable[[], None],
        clock: Callable[[], float] = time.time,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.camera_id: Final = camera.id
        self.epoch: Final = camera.epoch
        self.incarnation: Final = incarnation
        self.kind: Final[SourceKind] = "rtsp" if camera.spec.source.rtsp else "http_push"
        self._worker = worker
        self._changed = changed
        self._clock = clock
        self._now = now
        self._lock = threading.Lock()
        self._from = camera.spec.source
        self._ring = Ring(camera.spec.buffer.seconds, camera.spec.buffer.max_bytes)
        self._pace = Pace(now())
        self._shown = Pace(now())
        self._began = now()
        self._frame_number = 0
        self._down_since: float | None = None
        self.newest: Newest | None = None
        self.codec: Codec | None = None
        self.size: tuple[int, int] | None = None
        self.state = State(False, ConnectedReason.CONNECTING, "", clock())
        self.frames = 0
        self.bytes = 0
        self.sessions = 0
        self.disconnects: Counter[str] = Counter()
        self.drops: Counter[str] = Counter()
        self.decode_errors = 0
        self._tell = Teller(names.event_source(worker, incarnation), self.epoch, offer).tell
        self.watch = Watch(self.camera_id, camera.spec.motion, tell=self._tell, clock=clock)
        self.retune(camera)

    def continues(self, camera: Camera) -> bool:
        """Is this the feed of the same assignment still?"""
        kind = "rtsp" if camera.spec.source.rtsp else "http_push"
        return (self.camera_id, self.epoch, self.kind) == (camera.id, camera.epoch, kind)

    def retune(self, camera: Camera) -> None:
        """Take over what can change under a living session: the ring's bounds, motion."""
        spec = camera.spec
        rtsp = spec.source.rtsp
        if spec.source != self._from:  # what the old source sent is no picture of this one
            self._from, self.newest = spec.source, None
            with self._lock:
                self._ring.clear()
        self._patience = float(rtsp.stall_timeout_seconds) if rtsp else PUSH_PATIENCE_SECONDS
        with self._lock:
            self._ring.resize(spec.buffer.seconds, spec.buffer.max_bytes)
        self.watch.retune(spec.motion)

    # Written by the session's thread, or by the event loop for a pushed frame.

    def take(self, data: bytes, *, keyframe: bool, timestamp: float, codec: Codec) -> Frame:
        """Number a frame that came, keep it in the ring if that can be, and tell the world."""
        self._frame_number += 1
        frame = Frame(self._frame_number, timestamp, keyframe, data, codec)
        with self._lock:
            kept = self._ring.append(frame)
        if not kept:
            self.drop("ring")
        self.frames += 1
        self.bytes += len(data)
        self._pace.arrived(self._now())
        self._tell(
            events.FrameIngested(
                camera_id=self.camera_id,
                timestamp=timestamp,
                source=self.kind,
                keyframe=keyframe,
                bytes=len(data),
                frame=frame.sequence,
            )
        )
        return frame

    def show(self, frame: Frame, picture: Picture | None) -> None:
        """Make a frame the newest one; call before `connected` and for each good picture."""
        now = self._now()
        self._shown.arrived(now)
        self.newest = Newest(frame, picture, now - max(0.0, self._clock() - frame.timestamp))

    def connected(self, codec: Codec, size: tuple[int, int]) -> None:
        """A session brought its first picture, or another one of another size."""
        if self.state.connected and (codec, size) == (self.codec, self.size):
            return
        now = self._clock()
        fresh = not self.state.connected
        self.codec, self.size = codec, size
        if fresh:
            self.sessions += 1
            self._began = self._now()
        downtime = None if self._down_since is None else now - self._down_since
        since = now if fresh else self.state.since
        self._set(State(True, ConnectedReason.CONNECTED, "", since))
        if fresh:
            self._tell(
                events.CameraConnected(
                    camera_id=self.camera_id,
                    timestamp=now,
                    width=size[0],
                    height=size[1],
                    codec=codec.name,
                    downtime_seconds=downtime,
                )
            )

    def skip(self, reason: str) -> None:
        """A frame came that is not taken: what follows does not continue the last group."""
        self.drop(reason)
        with self._lock:
            self._ring.cut()

    def disconnected(self, failure: Failure | ConnectedReason, message: str) -> None:
        """A session ended, never began, or was ended by us, which is no failure."""
        now = self._clock()
        was_connected = self.state.connected
        if was_connected or isinstance(failure, Failure):
            self.disconnects[failure] += 1
        with self._lock:
            self._ring.cut()
        self.watch.anew()
        if was_connected:
            self._down_since = now
        if failure is ConnectedReason.SUSPENDED:
            self.newest = None  # whoever suspends a camera wants none of its pictures shown
        self._set(State(False, failure, message, now))
        if was_connected:
            self._tell(
                events.CameraDisconnected(camera_id=self.camera_id, reason=failure, timestamp=now)
            )

    def say(self, reason: Reason, message: str = "") -> None:
        """Change the reason while it is not connected."""
        if not self.state.connected and self.state.reason != reason:
            self._set(State(False, reason, message, self._clock()))

    # Read by the event loop.

    def until(self, sequence: int) -> tuple[Frame, ...]:
        """The frames of the ring that decode this one, the last being it.

        Raises:
            FrameGone: The ring does not hold it.
        """
        with self._lock:
            group = self._ring.group_until(sequence)
        if not group:
            raise FrameGone(f"the ring of {self.camera_id!r} does not hold frame {sequence}")
        return group

    def held(self) -> list[Frame]:
        """Every frame of the ring, oldest first."""
        with self._lock:
            return list(self._ring)

    def ring_size(self) -> tuple[int, float]:
        """Bytes and seconds that the ring holds."""
        with self._lock:
            return self._ring.bytes, self._ring.seconds

    @property
    def silence(self) -> float:
        """Seconds since the last frame came."""
        return self._now() - self._pace.last

    @property
    def uptime(self) -> float:
        """Seconds for which the session has brought frames; 0 before the first picture."""
        return max(0.0, self._pace.last - self._began) if self.state.connected else 0.0

    @property
    def patience(self) -> float:
        """Seconds without a frame that are too much: what is set, or five frame intervals."""
        return self._patience_at(self._pace)

    @property
    def fresh_seconds(self) -> float:
        """Age up to which a picture is live: as `patience`, by the pace of pictures."""
        return self._patience_at(self._shown)

    def _patience_at(self, pace: Pace) -> float:
        return max(self._patience, min(MOST_PATIENCE_SECONDS, PATIENCE_INTERVALS * pace.interval))

    def drop(self, reason: str) -> None:
        """Count a frame that is not used; the worker tells of it, folded."""
        self.drops[reason] += 1

    def live(self) -> Live:
        """What is known at this moment."""
        now = self._now()
        newest, state, size = self.newest, self.state, self.size
        ring_bytes, ring_seconds = self.ring_size()
        return Live(
            camera_id=self.camera_id,
            worker=self._worker,
            epoch=self.epoch,
            connected=state.connected,
            reason=state.reason,
            message=state.message,
            fps=round(self._pace.fps(now), 2),
            frame_age_seconds=None if newest is None else round(now - newest.captured, 3),
            last_frame=None if newest is None else newest.frame.timestamp,
            width=size[0] if size else None,
            height=size[1] if size else None,
            codec=self.codec.name if self.codec else None,
            sessions=self.sessions,
            moving=self.watch.moving,
            motion_events=self.watch.motion_events,
            ring_seconds=round(ring_seconds, 3),
            ring_bytes=ring_bytes,
        )

    def _set(self, state: State) -> None:
        self.state = state
        self._changed()
