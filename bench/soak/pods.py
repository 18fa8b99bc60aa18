"""The pods of an installation: whether they are those that they were, what they hold and log."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final, Protocol

import msgspec
from msgspec import Struct

from bench.reliability.cluster import Kubernetes
from tests.cluster.footprint import Footprint
from tests.cluster.programs import BEGINS_ANEW

GRAVE: Final = frozenset({"error", "critical"})
_OURS: Final = "app.kubernetes.io/component in (operator, gateway, worker)"


class Kernel(Protocol):
    """What a kernel counts for a pod, by its UID; None: it has none of it. See `kernel`."""

    def memory(self, uid: str, /) -> int | None: ...

    def cpu(self, uid: str, /) -> float | None: ...

    def holds(self, uid: str, /) -> Footprint | None: ...


class Pods:
    """The pods of an installation, as they are when it is made: none may go, none may come."""

    def __init__(self, cluster: Kubernetes, kernel: Kernel) -> None:
        self._cluster = cluster
        self._kernel = kernel
        self._uids = {pod.metadata.name: pod.metadata.uid for pod in self._look()}
        self._ours = sorted(pod.metadata.name for pod in self._look("--selector", _OURS))
        self._read: Counter[str] = Counter()  # lines, by pod

    @property
    def names(self) -> list[str]:
        return sorted(self._uids)

    def memory(self) -> Mapping[str, int]:
        """Bytes of anonymous memory, by pod that is there."""
        held = {name: self._kernel.memory(uid) for name, uid in self._uids.items()}
        return {name: size for name, size in held.items() if size is not None}

    def cpu(self) -> Mapping[str, float]:
        """Seconds of CPU since it began, by pod that is there."""
        used = {name: self._kernel.cpu(uid) for name, uid in self._uids.items()}
        return {name: seconds for name, seconds in used.items() if seconds is not None}

    def footprints(self) -> Mapping[str, Footprint]:
        """What the first process holds, by pod that is there."""
        held = {name: self._kernel.holds(uid) for name, uid in self._uids.items()}
        return {name: one for name, one in held.items() if one is not None}

    def changes(self) -> Iterator[str]:
        """A sentence for each pod that was started again, is new, or is gone."""
        found = {pod.metadata.name: pod for pod in self._look()}
        for name in sorted(found.keys() | self._uids.keys()):
            pod = found.get(name)
            if pod is None or pod.metadata.uid != self._uids.get(name):
                yield f"{name} is not the pod that it was"
            elif restarts := sum(one.restarts for one in pod.status.containers):
                yield f"{name} was started again {restarts} times"

    def grave_lines(self) -> Iterator[str]:
        """What our programs logged since the last look that somebody must look at.

        A log that is shorter than before was begun anew: what stood between is lost.
        """
        for name in self._ours:
            lines = self._cluster.kubectl("logs", name).splitlines()
            before, self._read[name] = self._read[name], len(lines)
            if len(lines) < before:
                yield f"{name} has a log of {len(lines)} lines, which had {before}"
                before = 0
            yield from (f"{name}: {line}" for line in lines[before:] if is_grave(line))

    def unread(self) -> Iterator[str]:
        """A sentence for each program of whose log not a line was read: nothing is known of it."""
        for name in self._ours:
            if not self._read[name]:
                yield f"{name} has logged nothing"

    @property
    def lines(self) -> int:
        """How many were read."""
        return self._read.total()

    def _look(self, *options: str) -> tuple["_Pod", ...]:
        said = self._cluster.kubectl("get", "pods", *options, "--output", "json")
        return msgspec.json.decode(said, type=_List).items


def is_grave(line: str) -> bool:
    """Is it of level error or above, no JSON, or of a new beginning?

    After that it is another process, though its pod is the same.
    """
    try:
        said: Any = json.loads(line)
    except ValueError:
        return bool(line.strip())
    return not isinstance(said, dict) or (
        said.get("level") in GRAVE or said.get("event") == BEGINS_ANEW
    )


class _Metadata(Struct):
    name: str
    uid: str


class _Container(Struct):
    restarts: int = msgspec.field(name="restartCount")


class _Status(Struct):
    containers: tuple[_Container, ...] = msgspec.field(name="containerStatuses", default=())


class _Pod(Struct):
    metadata: _Metadata
    status: _Status


class _List(Struct):
    items: tuple[_Pod, ...]
