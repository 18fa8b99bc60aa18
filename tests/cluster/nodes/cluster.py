"""A real Kubernetes of several nodes, on this machine alone.

Promise: it dies with the process that made it, however that ends, and leaves nothing: no process,
mount, network, cgroup or file. Who makes it joins its network with the thread that does so, and
what that thread starts lives there, too.
"""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tests.cluster import binaries
from tests.cluster.client import Refused
from tests.cluster.go_commands import Unavailable
from tests.cluster.nodes import commands
from tests.cluster.nodes.control_plane import ControlPlane
from tests.cluster.nodes.images import Image
from tests.cluster.nodes.images import images as ours
from tests.cluster.nodes.machine import Machine
from tests.cluster.nodes.node import Node
from tests.cluster.programs import Household
from tests.image import builder

READY_SECONDS: Final = 180


class Cluster:
    """Control plane and nodes; made by `running`.

    Attributes:
        control_plane: The API server and what is beside it.
        nodes: By name: n1, n2, …
    """

    def __init__(self, household: Household, nodes: int) -> None:
        name = household.directory.name
        home = household.directory
        self._host = Machine(household, f"{name}-control-plane", home / "control-plane")
        self._host.start()
        self._host.join_network()
        self.control_plane = ControlPlane(household, binaries.available(), nodes)
        proxy = self.control_plane.kubeconfig("system:kube-proxy")
        self.nodes: dict[str, Node] = {}
        for number in range(1, nodes + 1):
            machine = Machine(household, f"{name}-n{number}", home / f"n{number}")
            kubeconfig = self.control_plane.kubeconfig(f"system:node:n{number}")
            self.nodes[f"n{number}"] = Node(machine, number, kubeconfig, proxy)

    @property
    def kubeconfig(self) -> Path:
        """For `kubectl`, within the network."""
        return self.control_plane.server.kubeconfig

    @property
    def pid(self) -> int:
        """Of a process that lives in the network."""
        return self._host.pid

    def start(self, images: Sequence[Image]) -> None:
        """Switch everything on; returns when all nodes are Ready.

        Args:
            images: What every node gets.
        """
        self.control_plane.start()
        with ThreadPoolExecutor() as pool:  # its threads are of the network that this one is of
            for done in [pool.submit(node.start, images) for node in self.nodes.values()]:
                done.result()
        self.await_ready()

    def stop(self) -> None:
        for node in self.nodes.values():
            node.remove()
        self.control_plane.stop()
        self._host.remove()

    def load(self, image: Image) -> None:
        """Give every node one more image."""
        for node in self.nodes.values():
            node.load(image)

    def await_ready(self) -> None:
        """Return when every node that is on is Ready."""
        on = {name for name, node in self.nodes.items() if node.on}
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            if on <= self._ready():
                return
            time.sleep(0.2)
        kubelets = {name: self.nodes[name].said("kubelet")[-2000:] for name in on - self._ready()}
        raise RuntimeError(f"not Ready: {kubelets}")

    def _ready(self) -> set[str]:
        try:
            nodes = self.control_plane.server.admin.get("/api/v1/nodes")["items"]
        except Refused:
            return set()
        return {node["metadata"]["name"] for node in nodes if _is_ready(node)}


def obstacle() -> str | None:
    """Why a cluster with our images cannot be had here, but for what is built; None: it can."""
    return commands.obstacle() or builder.obstacle()


@contextmanager
def running(nodes: int = 3) -> Iterator[Cluster]:
    """A cluster that has our images, until the block ends; the thread stays in its network.

    Raises:
        Unavailable: It cannot be had here; the text says why.
    """
    if reason := obstacle():  # rather than after all commands were built
        raise Unavailable(reason)
    commands.build()
    with Household() as household:
        images = ours(household.directory / "images")
        cluster = Cluster(household, nodes)
        try:
            cluster.start(images)
            yield cluster
        finally:
            cluster.stop()


def _is_ready(node: Any) -> bool:
    conditions = node["status"].get("conditions", ())
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
