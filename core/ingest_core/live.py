"""What a worker knows of a camera at this moment: never stored, always asked for."""

from msgspec import Struct


class Live(Struct, frozen=True, kw_only=True):
    """A camera as its worker sees it now.

    Attributes:
        camera_id: Its id.
        worker: Who captures it.
        epoch: Of the assignment that it is captured under.
        connected: Is a session open that brings frames?
        reason: Reason of the condition Connected, in CamelCase.
        message: What a person should know; empty when all is well.
        fps: Frames of the last seconds, per second.
        frame_age_seconds: Now less the newest frame's capture time; None before the first frame.
        last_frame: Capture time of the newest frame, Unix seconds.
        width, height: Of the picture, in pixels.
        codec: As FFmpeg names it: h264, hevc, mjpeg.
        sessions: Sessions that were connected since the worker began with this camera.
        moving: Is a motion event going on?
        motion_events: Motion events since the worker began with this camera.
        ring_seconds, ring_bytes: What the ring holds.
    """

    camera_id: str
    worker: str
    epoch: int
    connected: bool
    reason: str
    message: str = ""
    fps: float = 0.0
    frame_age_seconds: float | None = None
    last_frame: float | None = None
    width: int | None = None
    height: int | None = None
    codec: str | None = None
    sessions: int = 0
    moving: bool = False
    motion_events: int = 0
    ring_seconds: float = 0.0
    ring_bytes: int = 0
