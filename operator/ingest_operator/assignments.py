"""What becomes of a camera's assignment when it is given to a worker, taken away, or let be. Pure.

Who captures a camera hands it over; who does not live hands nothing over. An epoch grows with each
change of the worker, and no two assignments of one id ever have the same: events count on it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from ingest_core.model import Assignment
from ingest_operator.state import CameraState, WorkerState, assignment_of


@dataclass(frozen=True, slots=True)
class Moment:
    """What assignments are made of, beside their camera.

    Attributes:
        workers: Every worker that is known, by name.
        now: RFC 3339, for people.
        version: The newest that was seen of any Camera, ends included.
        predecessors: Who captured another Camera of the same id, by id.
    """

    workers: Mapping[str, WorkerState]
    now: str
    version: int
    predecessors: Mapping[str, str]

    def given(self, camera: CameraState, target: str) -> Assignment:
        """Camera → worker. What is captured is handed over; what is not is only given.

        So is the id of an Exclusive one, by whoever may have a session of the Camera before it.
        """
        holder = self._holder(camera)
        if holder is None and camera.exclusive and camera.worker is None:
            holder = self._alive(self.predecessors.get(camera.id))
        previous = holder if holder != target else None
        epoch = self._next_epoch(camera)
        return Assignment(worker=target, previous=previous, epoch=epoch, time=self.now)

    def taken_away(self, camera: CameraState) -> Assignment | None:
        """Nobody's. An assignment that once was stays, without a worker, so that its epoch holds.

        Who captures an Exclusive camera is to say that it let go: somebody else may get it soon.
        """
        if camera.worker is None:
            return self.settled(camera)
        previous = self._holder(camera) if camera.exclusive else None
        return Assignment(previous=previous, epoch=self._next_epoch(camera), time=self.now)

    def settled(self, camera: CameraState) -> Assignment | None:
        """The assignment as it stands, less a previous worker that has nothing any more."""
        assignment = assignment_of(camera)
        if assignment is None or camera.previous is None or self._handing_over(camera):
            return assignment
        return Assignment(worker=camera.worker, epoch=camera.epoch, time=camera.since or None)

    def _holder(self, camera: CameraState) -> str | None:
        """Who captures it, as far as is known; None: nobody who lives."""
        return self._alive(camera.previous if self._handing_over(camera) else camera.worker)

    def _handing_over(self, camera: CameraState) -> bool:
        """Is it the previous worker that captures it still?"""
        return camera.handing_over and self._alive(camera.previous) is not None

    def _alive(self, worker: str | None) -> str | None:
        """The worker; None: it captures nothing."""
        one = self.workers.get(worker or "")
        return worker if one is not None and one.captures else None

    def _next_epoch(self, camera: CameraState) -> int:
        """Grows by one; of a camera without a worker, above all epochs that its id ever had.

        An epoch grows only with a write, and each write makes the API server's version grow: so no
        epoch of any camera is above the newest version, also of one that was deleted and had the
        id that this one has now.
        """
        grown = camera.epoch + 1
        return grown if camera.worker is not None else max(grown, self.version)
