"""Watch one camera for motion, and tell when it begins and ends: each begin has exactly one end.

The detector is stepped by whoever has the picture: the session's thread, or a render thread for a
pushed one. The event loop may replace it meanwhile; one that was let go has no say any more.
"""

import threading
from collections.abc import Callable

from ingest_core import events
from ingest_core.events import Fact
from ingest_core.model import Motion
from ingest_worker.motion import Detector, MotionConfig, Observation
from ingest_worker.picture import Picture
from ingest_worker.regions import Region


class Watch:
    """Owner of a camera's detector, and of the motion event that goes on.

    Args:
        camera_id: The camera's.
        motion: What counts as motion.
        tell: Takes a fact, from any thread.
        clock: Unix seconds.
    """

    def __init__(
        self,
        camera_id: str,
        motion: Motion,
        *,
        tell: Callable[[Fact], None],
        clock: Callable[[], float],
    ) -> None:
        self._camera_id = camera_id
        self._motion = motion
        self._tell = tell
        self._clock = clock
        self._lock = threading.Lock()  # the detector's place, and the motion that it began
        self._moving: tuple[float, float] | None = None  # when it began, and was last seen
        self.detector = _detector(motion)
        self.motion_events = 0
        self.light_changes = 0

    @property
    def moving(self) -> bool:
        """Does a motion event go on?"""
        return self._moving is not None

    def retune(self, motion: Motion) -> None:
        """Watch by other rules; the same ones change nothing."""
        if motion != self._motion:
            self._motion = motion
            self.anew()

    def anew(self) -> None:
        """Forget what was seen; motion that went on ends where it was last seen."""
        with self._lock:
            if self._moving is not None:
                began, last = self._moving
                self._end(self._clock(), last - began)
            self.detector = _detector(self._motion)

    def look(self, picture: Picture) -> None:
        """Look for motion in a picture, if one is due."""
        detector = self.detector
        timestamp = picture.frame.timestamp
        if detector is not None and detector.due(timestamp):
            self.observe(detector, detector.step(picture.luma(), timestamp), timestamp)

    def observe(self, detector: Detector, seen: Observation, timestamp: float) -> None:
        """Tell what a detector saw in the frame of this capture time."""
        with self._lock:
            if detector is not self.detector:
                return
            self.light_changes += seen.light_change
            if seen.ended is not None and self._moving is not None:
                self._end(timestamp, seen.ended)
            if self._moving is not None and seen.region is not None:
                self._moving = self._moving[0], timestamp
            if seen.began is not None:
                self._begin(timestamp, seen.began)

    def _begin(self, timestamp: float, region: Region) -> None:
        self.motion_events += 1
        self._moving = timestamp, timestamp
        box = events.Box(region.x, region.y, region.width, region.height)
        self._tell(
            events.MotionDetected(
                camera_id=self._camera_id, timestamp=timestamp, area=region.area, box=box
            )
        )

    def _end(self, timestamp: float, duration: float) -> None:
        self._moving = None
        self._tell(
            events.MotionEnded(
                camera_id=self._camera_id,
                timestamp=timestamp,
                duration_seconds=round(duration, 3),
            )
        )


def _detector(motion: Motion) -> Detector | None:
    if not motion.enabled:
        return None
    masks = tuple(
        tuple((corner.x_permille, corner.y_permille) for corner in mask.polygon)
        for mask in motion.masks
    )
    return Detector(
        MotionConfig(
            sensitivity=motion.sensitivity,
            min_area_permille=motion.min_area_permille,
            cooldown_seconds=motion.cooldown_seconds,
            masks=masks,
        )
    )
