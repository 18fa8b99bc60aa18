"""What the scenarios need of a cluster, of the cameras and of those who listen. They bring a fake.

`tests/cluster/nodes` is the real cluster; `real.py` puts one together.
"""

from collections.abc import Mapping, Sequence
from signal import Signals
from typing import Protocol

from bench.reliability.heard import Heard
from bench.reliability.sight import Pod
from ingest_simulator.session import SessionRecord


class NotWell(Exception):
    """Something did not come to hold in time, or was refused; the text says what."""


class Kubernetes(Protocol):
    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """What it printed, as the admin, in the installation's namespace. Raises NotWell."""


class Cluster(Kubernetes, Protocol):
    """Kubernetes, and the power over its nodes. Every call returns when it is done."""

    def crash(self, node: str) -> None:
        """Its power fails: everything on it is dead."""

    def start(self, node: str) -> None:
        """Switch it on again; it may not be Ready yet."""

    def partition(self, node: str) -> None:
        """Nobody reaches it, and it reaches nobody."""

    def heal(self, node: str) -> None: ...

    def kill_in_pod(self, pod: Pod, signal: Signals) -> None:
        """Send a signal to the first process of a pod's container, without asking Kubernetes."""

    def stop_api_server(self) -> None:
        """It answers nobody, and its connections are gone."""

    def start_api_server(self) -> None:
        """Returns when it answers again."""


class Cameras(Protocol):
    """The simulator, as its control API tells of it."""

    def sessions(self) -> Mapping[str, Sequence[SessionRecord]]:
        """Of every camera, all up to now."""


class Ears(Protocol):
    """Who listens to events."""

    def heard(self) -> Mapping[str, Sequence[Heard]]:
        """By camera, all since they were forgotten."""

    def forget(self) -> None: ...

    def follow(self, host: str) -> None:
        """Listen to Redis at an address from now on, as soon as it answers there."""

    @property
    def listening(self) -> bool: ...


class Meters(Protocol):
    """The metrics of pods."""

    def total(self, host: str, metric: str) -> int:
        """A counter's sum over all its labels."""


class Clock(Protocol):
    def time(self) -> float:
        """Unix seconds."""

    def sleep(self, seconds: float, /) -> None: ...
