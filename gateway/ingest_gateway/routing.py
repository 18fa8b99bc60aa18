"""Which workers to ask for a camera, and in which order. Pure.

During a handover two workers have it. Frames come from the one that is seen connected under the
higher epoch: the new one as soon as it is, until then the old one, unless that has let go already.
What a device pushes goes to the new one at once, for that is what connects it.
"""

from typing import Final

from ingest_core.errors import FrameUnavailable
from ingest_core.model import ASSIGNED, Assignment, Camera, Stream

RETRY_SECONDS: Final = 2


def for_frames(camera: Camera) -> tuple[str, ...]:
    """Workers to ask for frames, the best one first; none: nobody has it."""
    assignment = camera.status.assignment
    if assignment is None:
        return ()
    workers = _named(assignment)
    return workers if _taken_over(assignment, camera.status.stream) else workers[::-1]


def for_push(camera: Camera) -> tuple[str, ...]:
    """Workers to offer a pushed frame to, the best one first; none: nobody has it."""
    assignment = camera.status.assignment
    return () if assignment is None else _named(assignment)


def nobody(camera: Camera) -> FrameUnavailable:
    """Why no worker can be asked."""
    told = next((one for one in camera.status.conditions if one.type == ASSIGNED), None)
    if told is None or told.status == "True":
        return FrameUnavailable("no worker has the camera yet", RETRY_SECONDS)
    why = f"{told.reason}. {told.message}".rstrip(". ")
    return FrameUnavailable(f"no worker has the camera: {why}", RETRY_SECONDS)


def _named(assignment: Assignment) -> tuple[str, ...]:
    return tuple(name for name in (assignment.worker, assignment.previous) if name)


def _taken_over(assignment: Assignment, stream: Stream | None) -> bool:
    """Has the new worker frames, or the old one none any more?"""
    if assignment.previous is None or stream is None:
        return assignment.previous is None
    released = (stream.released_epoch or 0) >= assignment.epoch
    connected = stream.worker == assignment.worker and stream.connected_time is not None
    return released or (connected and stream.epoch == assignment.epoch)
