"""Decide what a worker must start, stop and change. Pure: what is wanted against what runs."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from ingest_core.model import Camera
from ingest_worker.deadline import OPEN, Fence


class Idle(StrEnum):
    """Why a camera of this worker is not captured, for people."""

    SUSPENDED = "spec.suspend is true"
    HANDED_OVER = "its previous worker has not let go of it yet"
    UNFENCED = "its worker could not renew its Lease, or has not held it for long enough yet"


@dataclass(frozen=True, slots=True)
class Charge:
    """A camera of this worker, and how it is to be had.

    Attributes:
        camera: As assigned.
        idle: Why it is not captured; None: it is.
        fence: What its sessions must not outlive.
    """

    camera: Camera
    idle: Idle | None = None
    fence: Fence = OPEN


@dataclass(frozen=True, slots=True)
class Difference:
    """Names of cameras, sorted. `restart` costs the session; `retune` does not."""

    start: tuple[str, ...]
    stop: tuple[str, ...]
    restart: tuple[str, ...]
    retune: tuple[str, ...]


def diff(wanted: Mapping[str, Charge], running: Mapping[str, Charge]) -> Difference:
    """Compare the cameras that a worker should have with those that it has, both by name."""
    both = wanted.keys() & running.keys()
    restart = {name for name in both if _session(wanted[name]) != _session(running[name])}
    retune = {
        name for name in both - restart if wanted[name].camera.spec != running[name].camera.spec
    }
    return Difference(
        start=tuple(sorted(wanted.keys() - running.keys())),
        stop=tuple(sorted(running.keys() - wanted.keys())),
        restart=tuple(sorted(restart)),
        retune=tuple(sorted(retune)),
    )


def _session(charge: Charge) -> tuple[object, ...]:
    """What cannot be changed under a living session."""
    camera, spec = charge.camera, charge.camera.spec
    same = camera.id, camera.epoch, camera.metadata.uid, spec.source, spec.decode
    return *same, charge.idle, id(charge.fence)
