"""Decide what a worker must start, stop and change. Pure: what is wanted against what runs."""

from collections.abc import Mapping
from dataclasses import dataclass

from ingest_core.model import Camera


@dataclass(frozen=True, slots=True)
class Difference:
    """Names of cameras, sorted. `restart` costs the session; `retune` does not."""

    start: tuple[str, ...]
    stop: tuple[str, ...]
    restart: tuple[str, ...]
    retune: tuple[str, ...]


def diff(wanted: Mapping[str, Camera], running: Mapping[str, Camera]) -> Difference:
    """Compare the cameras that are assigned with those that are captured, both by name."""
    both = wanted.keys() & running.keys()
    restart = {name for name in both if _session(wanted[name]) != _session(running[name])}
    retune = {name for name in both - restart if wanted[name].spec != running[name].spec}
    return Difference(
        start=tuple(sorted(wanted.keys() - running.keys())),
        stop=tuple(sorted(running.keys() - wanted.keys())),
        restart=tuple(sorted(restart)),
        retune=tuple(sorted(retune)),
    )


def _session(camera: Camera) -> tuple[object, ...]:
    """What cannot be changed under a living session."""
    spec = camera.spec
    return camera.id, camera.epoch, camera.metadata.uid, spec.source, spec.decode, spec.suspend
