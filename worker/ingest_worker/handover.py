"""Decide what a worker must do with one camera, whoever else has to do with it. Pure.

The worker's side of docs/design/handover.md. No step depends on what happened, only on what the
camera's status says now; so a worker that was restarted, or that missed half of it, does the right
thing at the next look.
"""

from enum import StrEnum
from typing import Final

from ingest_core.model import Assignment, Camera

YIELD_SECONDS: Final = 30.0  # for which the old worker of a Shared camera waits for the new one


class Duty(StrEnum):
    """What is asked of this worker.

    CAPTURE it. WAIT for it: another worker must let go of it first. YIELD: go on capturing under
    the old assignment until the new worker does. RELEASE: let go of it, then say so. NOTHING: it is
    none of ours, or was let go of already.
    """

    CAPTURE = "capture"
    WAIT = "wait"
    YIELD = "yield"
    RELEASE = "release"
    NOTHING = "nothing"


def duty(camera: Camera, me: str, *, captured: bool, yielding_for: float) -> Duty:
    """What must be done with a camera.

    Args:
        camera: As its status says now.
        me: This worker.
        captured: Does this worker bring frames of it, under an earlier assignment?
        yielding_for: Seconds for which it has yielded to this assignment; 0: it begins now.
    """
    assignment = camera.status.assignment
    if assignment is None:
        return Duty.NOTHING
    if assignment.worker == me:
        waits = assignment.previous is not None and is_exclusive(camera)
        return Duty.WAIT if waits else Duty.CAPTURE
    if assignment.previous != me or _released(camera, assignment):
        return Duty.NOTHING
    yields = (
        captured
        and assignment.worker is not None
        and not is_exclusive(camera)
        and not camera.spec.suspend
        and not _connected(camera, assignment)
        and yielding_for < YIELD_SECONDS
    )
    return Duty.YIELD if yields else Duty.RELEASE


def may_report(camera: Camera, me: str, *, connected: bool) -> bool:
    """May this worker say how the camera is? In a handover, only that it has taken over."""
    assignment = camera.status.assignment
    mine = assignment is not None and assignment.worker == me
    return mine and (connected or not is_handed_over(camera))


def is_exclusive(camera: Camera) -> bool:
    """May no two sessions with it exist, not even for a moment?"""
    rtsp = camera.spec.source.rtsp
    return rtsp is not None and rtsp.session == "Exclusive"


def is_handed_over(camera: Camera) -> bool:
    """Is it on its way from one living worker to another?"""
    assignment = camera.status.assignment
    return assignment is not None and assignment.previous is not None


def _connected(camera: Camera, assignment: Assignment) -> bool:
    stream = camera.status.stream
    if stream is None or stream.epoch is None or stream.connected_time is None:
        return False
    return stream.epoch >= assignment.epoch


def _released(camera: Camera, assignment: Assignment) -> bool:
    stream = camera.status.stream
    released = None if stream is None else stream.released_epoch
    return released is not None and released >= assignment.epoch
