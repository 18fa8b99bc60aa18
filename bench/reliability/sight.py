"""What the API server says of Cameras and workers, as values; and whether all is well. Pure."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

import msgspec
from msgspec import Struct, field

from ingest_core import names

SPREAD: Final = 4
"""Cameras by which two workers may differ where loads are even (see `fleet`)."""


class _Metadata(Struct, rename="camel"):
    name: str
    uid: str
    labels: dict[str, str] = {}
    deletion_timestamp: str | None = None


class _Assignment(Struct):
    worker: str | None = None
    previous: str | None = None
    epoch: int = 0


class _Stream(Struct, rename="camel"):
    worker: str | None = None
    epoch: int = 0
    connected_time: str | None = None


class _Condition(Struct):
    type: str
    status: str


class _Spec(Struct, rename="camel"):
    node_name: str | None = None


class _Status(Struct, rename="camel"):
    assignment: _Assignment = field(default_factory=_Assignment)
    stream: _Stream = field(default_factory=_Stream)
    conditions: tuple[_Condition, ...] = ()
    pod_ip: str | None = field(default=None, name="podIP")


class _Item(Struct):
    kind: str
    metadata: _Metadata
    spec: _Spec
    status: _Status = field(default_factory=_Status)


class _List(Struct):
    items: tuple[_Item, ...]


@dataclass(frozen=True, slots=True)
class Placed:
    """A Camera: who is to capture it, and whether that one does, and nobody else is to any more."""

    worker: str | None
    settled: bool


@dataclass(frozen=True, slots=True)
class Pod:
    """One pod. `host` is its address: from a worker's, cameras are read."""

    name: str
    uid: str
    host: str | None
    node: str | None
    ready: bool


@dataclass(frozen=True, slots=True)
class Sight:
    """Everything at one look: Cameras by name, pods by component."""

    cameras: Mapping[str, Placed]
    pods: Mapping[str, tuple[Pod, ...]]

    @property
    def workers(self) -> tuple[Pod, ...]:
        return self.pods.get(names.WORKER, ())

    @property
    def redis(self) -> Pod | None:
        """The one that runs, or begins to."""
        return next((one for one in self.pods.get("redis", ()) if one.host), None)


def read(json: str) -> Sight:
    """Take the answer of `kubectl get cameras,pods --output json`."""
    items = msgspec.json.decode(json, type=_List).items
    pods: dict[str, tuple[Pod, ...]] = {}
    for one in sorted(items, key=lambda item: item.metadata.name):
        component = one.metadata.labels.get(names.LABEL_COMPONENT)
        if one.kind == "Pod" and component is not None:
            pods[component] = (*pods.get(component, ()), _pod(one))
    cameras = {one.metadata.name: _placed(one.status) for one in items if one.kind == "Camera"}
    return Sight(cameras, pods)


def unplaced(sight: Sight, away: Collection[str] = ()) -> str:
    """What is lacking until every camera is captured by a worker that is not away; else empty."""
    ready = {one.name for one in sight.workers if one.ready} - set(away)
    lacking = [
        name
        for name, camera in sight.cameras.items()
        if not camera.settled or camera.worker not in ready
    ]
    return f"not captured where they are to be: {', '.join(lacking)}" if lacking else ""


def unwell(sight: Sight, workers: int) -> str:
    """What is lacking until every worker is Ready and every camera captured; else empty."""
    ready = [one for one in sight.workers if one.ready]
    if not len(ready) == len(sight.workers) == workers:
        return f"{len(ready)} of {len(sight.workers)} workers are ready, wanted are {workers}"
    return unplaced(sight)


def uneven(sight: Sight) -> str:
    """Whether one worker has many more cameras than another; else empty."""
    loads = Counter({one.name: 0 for one in sight.workers})
    loads.update(camera.worker for camera in sight.cameras.values() if camera.worker)
    least, most = min(loads.values()), max(loads.values())
    return f"uneven: {dict(loads)}" if most - least > SPREAD else ""


def _placed(status: _Status) -> Placed:
    assignment, stream = status.assignment, status.stream
    settled = (
        assignment.previous is None
        and stream.worker == assignment.worker
        and stream.epoch == assignment.epoch
        and stream.connected_time is not None
        and _is_true(status, "Ready")
    )
    return Placed(assignment.worker, settled)


def _pod(item: _Item) -> Pod:
    return Pod(
        name=item.metadata.name,
        uid=item.metadata.uid,
        host=item.status.pod_ip,
        node=item.spec.node_name,
        ready=_is_true(item.status, "Ready") and item.metadata.deletion_timestamp is None,
    )


def _is_true(status: _Status, condition: str) -> bool:
    return any(one.type == condition and one.status == "True" for one in status.conditions)
