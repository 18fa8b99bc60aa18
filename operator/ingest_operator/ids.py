"""Decide which Camera has an id that several ask for. Pure.

The oldest one has it, whoever captures what: an order that never changes, so that every operator
decides alike at any time. The gateway goes by the same order (`Metadata.seniority`).
"""

from collections.abc import Iterable, Mapping

from ingest_operator.state import CameraState


def taken(cameras: Iterable[CameraState]) -> Mapping[str, CameraState]:
    """Cameras whose id another one has, and which one that is, by name.

    Args:
        cameras: Every camera; one that is being deleted has its id until it is gone.
    """
    holders: dict[str, CameraState] = {}
    others: list[CameraState] = []
    for camera in cameras:
        there = holders.setdefault(camera.id, camera)
        if there is camera:
            continue
        if camera.seniority < there.seniority:
            holders[camera.id], camera = camera, there  # noqa: PLW2901 - the younger one goes on
        others.append(camera)
    return {camera.name: holders[camera.id] for camera in others}
