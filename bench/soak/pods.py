"""What pods hold and say: memory, CPU, threads, descriptors, restarts, lines of their logs.

Memory and CPU are what the kernel counts for the pod's cgroup: nothing runs in it to take them.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from msgspec import Struct

from bench.reliability.real import RealCluster, first_process
from tests.cluster.footprint import Footprint, footprint
from tests.cluster.nodes.machine import CGROUPS
from tests.cluster.programs import BEGINS_ANEW

GRAVE: Final = frozenset({"error", "critical"})


class Pods:
    """The pods of an installation, as they are when it is made: none may go, none may come."""

    def __init__(self, cluster: RealCluster) -> None:
        self._cluster = cluster
        self._read = datetime.now(UTC)  # until then, of the logs
        self._uids = {pod.metadata.name: pod.metadata.uid for pod in self._look()}

    @property
    def names(self) -> list[str]:
        return sorted(self._uids)

    def memory(self) -> Mapping[str, int]:
        """Bytes of anonymous memory by pod."""
        return {name: _anonymous(uid) for name, uid in self._uids.items()}

    def cpu(self) -> Mapping[str, float]:
        """Seconds of CPU since it began, by pod."""
        return {name: _cpu_seconds(uid) for name, uid in self._uids.items()}

    def footprints(self) -> Mapping[str, Footprint]:
        """What the first process of each pod holds."""
        return {name: footprint(first_process(uid), 0) for name, uid in self._uids.items()}

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
        """What was logged since the last look that somebody must look at."""
        since, self._read = self._read, datetime.now(UTC)
        option = f"--since-time={since:%Y-%m-%dT%H:%M:%SZ}"
        for name in self.names:
            said = self._cluster.kubectl("logs", name, "--all-containers", option)
            yield from (f"{name}: {line}" for line in said.splitlines() if is_grave(line))

    def _look(self) -> tuple["_Pod", ...]:
        said = self._cluster.kubectl("get", "pods", "--output", "json")
        return msgspec.json.decode(said, type=_List).items


def is_grave(line: str) -> bool:
    """Is it of level error or above, or a traceback's first, or of a new beginning?

    After that it is another process, though its pod is the same.
    """
    try:
        said: Any = json.loads(line)
    except ValueError:
        return line.startswith("Traceback ")
    return isinstance(said, dict) and (
        said.get("level") in GRAVE or said.get("event") == BEGINS_ANEW
    )


def _anonymous(uid: str) -> int:
    said = _read("memory", uid, "memory.stat")
    return int(dict(line.split() for line in said.splitlines())["total_rss"])


def _cpu_seconds(uid: str) -> float:
    return int(_read("cpuacct", uid, "cpuacct.usage")) / 1e9


def _read(hierarchy: str, uid: str, file: str) -> str:
    (found,) = (CGROUPS / hierarchy).rglob(f"pod{uid}/{file}")
    return found.read_text()


class _Metadata(Struct):
    name: str
    uid: str


class _Container(Struct):
    restarts: int = msgspec.field(name="restartCount")


class _Status(Struct):
    containers: tuple[_Container, ...] = msgspec.field(name="containerStatuses")


class _Pod(Struct):
    metadata: _Metadata
    status: _Status


class _List(Struct):
    items: tuple[_Pod, ...]
