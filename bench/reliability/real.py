"""The real thing: nodes, the chart, simulated cameras, Redis's events and workers' metrics.

The simulator runs beside the control plane, so no node's death touches it.
"""

import os
import re
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from signal import Signals
from typing import Final

import msgspec
import urllib3
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from bench.processes import python, running
from bench.reliability import fleet
from bench.reliability.cluster import NotWell
from bench.reliability.ears import RedisEars
from bench.reliability.result import SessionKind
from bench.reliability.sight import Pod
from bench.reliability.stage import Stage
from ingest_core import names
from ingest_simulator.camera import SimulatedCamera
from ingest_simulator.faults import Fault
from ingest_simulator.main import FirstLine
from ingest_simulator.session import SessionRecord
from tests.cluster.command_line import CommandLine, Failed
from tests.cluster.nodes import addresses, cluster
from tests.cluster.nodes.installation import Installation
from tests.cluster.nodes.machine import CGROUPS

_NAMESPACE: Final = "cameras"
_PAUSE: Final = b"/pause"
_COUNTED: Final = re.compile(r"^NSpid:.*\t(\d+)$", re.MULTILINE)  # as its own namespace counts


class RealCluster:
    """`bench.reliability.cluster.Cluster` of nodes on this machine."""

    def __init__(self, nodes: cluster.Cluster, by: CommandLine) -> None:
        self._nodes = nodes
        self._by = by

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        try:
            return self._by.kubectl(*arguments, stdin=stdin)
        except (Failed, subprocess.TimeoutExpired) as error:
            raise NotWell(str(error)) from None

    def crash(self, node: str) -> None:
        self._nodes.nodes[node].crash()

    def start(self, node: str) -> None:
        self._nodes.nodes[node].start()

    def partition(self, node: str) -> None:
        self._nodes.nodes[node].partition()

    def heal(self, node: str) -> None:
        self._nodes.nodes[node].heal()

    def kill_in_pod(self, pod: Pod, signal: Signals) -> None:
        os.kill(first_process(pod.uid), signal)

    def stop_api_server(self) -> None:
        self._nodes.control_plane.server.kill()

    def start_api_server(self) -> None:
        self._nodes.control_plane.server.heal()


class SimulatedCameras:
    """The simulator by its control API: its cameras, what became of sessions, and faults."""

    def __init__(self, url: str, cameras: Sequence[str]) -> None:
        self._url = url
        self._cameras = cameras
        self._http = urllib3.PoolManager(retries=False, timeout=30)

    def sessions(self) -> Mapping[str, Sequence[SessionRecord]]:
        return {name: self._of(name) for name in self._cameras}

    def add(self, camera: SimulatedCamera) -> None:
        self._call("POST", "", msgspec.json.encode(camera))

    def remove(self, camera: str) -> None:
        self._call("DELETE", f"/{camera}")

    def fault(self, camera: str, fault: Fault | None) -> None:
        """From now on it has this one; None: none."""
        body = None if fault is None else msgspec.json.encode(fault)
        self._call("DELETE" if fault is None else "PUT", f"/{camera}/fault", body)

    def cut(self, camera: str) -> None:
        """End its sessions."""
        self._call("DELETE", f"/{camera}/sessions")

    def _of(self, camera: str) -> Sequence[SessionRecord]:
        answer = self._call("GET", f"/{camera}/sessions")
        return msgspec.json.decode(answer, type=tuple[SessionRecord, ...])

    def _call(self, method: str, path: str, body: bytes | None = None) -> bytes:
        answer = self._http.request(method, f"{self._url}/cameras{path}", body=body)
        assert answer.status < HTTPStatus.BAD_REQUEST, answer.data
        return answer.data


class WorkerMeters:
    """Metrics, read from a pod itself. Raises NotWell."""

    def __init__(self) -> None:
        self._http = urllib3.PoolManager(retries=False, timeout=30)

    def total(self, host: str, metric: str) -> int:
        return round(sum(one.value for one in self._samples(host, metric)))

    def by_camera(self, host: str, metric: str) -> Mapping[str, int]:
        found: Counter[str] = Counter()
        for one in self._samples(host, metric):
            found[one.labels["camera"]] += round(one.value)
        return found

    def _samples(self, host: str, metric: str) -> Iterator[Sample]:
        try:
            answer = self._http.request("GET", f"http://{host}:{names.WORKER_PORT}/metrics")
        except urllib3.exceptions.HTTPError as error:
            raise NotWell(f"{host} tells no metrics: {error}") from None
        for family in text_string_to_metric_families(answer.data.decode()):
            yield from (one for one in family.samples if one.name == metric)


@dataclass(frozen=True, slots=True)
class Fleet:
    """An installation in a real cluster, and its cameras.

    Attributes:
        kinds: Every camera, and how many may read it.
    """

    cluster: RealCluster
    cameras: SimulatedCameras
    kinds: Mapping[str, SessionKind]


@contextmanager
def installed(home: Path) -> Iterator[Fleet]:
    """All of it, until the block ends; it may take a moment until all cameras are captured.

    Args:
        home: A folder for what commands remember.

    Raises:
        Unavailable: There can be no cluster of nodes here.
    """
    with cluster.running(fleet.WORKERS) as nodes, _simulated() as told:
        by = CommandLine(nodes.kubeconfig, home, _NAMESPACE)
        installation = Installation(by, fleet.RELEASE, fleet.values())
        installation.make_namespace()
        installation.install()
        real = RealCluster(nodes, by)
        kinds, manifest = fleet.cameras(camera.url for camera in told.cameras)
        real.kubectl("apply", "--filename=-", stdin=manifest)
        yield Fleet(real, SimulatedCameras(f"http://{told.control}", list(kinds)), kinds)


@contextmanager
def stage(minutes: float, home: Path) -> Iterator[Stage]:
    """Where scenarios play, until the block ends.

    Args:
        minutes: How long the last outages last.
        home: A folder for what commands remember.

    Raises:
        Unavailable: There can be no cluster of nodes here.
    """
    with installed(home) as found:
        ears = RedisEars()
        ears.start()
        try:
            yield Stage(
                found.cluster,
                found.cameras,
                ears,
                WorkerMeters(),
                time,
                found.kinds,
                fleet.WORKERS,
                fleet.FPS,
                minutes,
            )
        finally:
            ears.stop()


@contextmanager
def _simulated() -> Iterator[FirstLine]:
    here = addresses.CONTROL_PLANE
    listen = ("--listen", f"{here}:0", "--control", f"{here}:0", "--json")
    shape = ("--cameras", str(fleet.CAMERAS), "--fps", str(fleet.FPS))
    with running(python("ingest_simulator.main", *shape, *listen)) as simulator:
        yield simulator.hear(FirstLine)


def first_process(uid: str) -> int:
    """Of a pod's only container, as this machine counts: by its cgroup. Raises NotWell."""
    for file in (CGROUPS / "memory").rglob(f"pod{uid}/*/cgroup.procs"):
        for pid in file.read_text().split():
            process = Path("/proc") / pid
            counted = _COUNTED.search((process / "status").read_text())
            assert counted is not None, "the kernel tells how each namespace counts a process"
            command = (process / "cmdline").read_bytes()
            if counted[1] == "1" and not command.startswith(_PAUSE):
                return int(pid)
    raise NotWell(f"no process of the pod {uid} is here")
