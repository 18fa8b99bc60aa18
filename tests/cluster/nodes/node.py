"""A node: a machine with containerd, kubelet and kube-proxy, joined to the others by a cable.

Promise: the cable can be drawn, and the power; with the power back, it has what was on its disk.
"""

import json
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from tests.cluster.nodes import addresses, commands
from tests.cluster.nodes.archives import PAUSE_IMAGE
from tests.cluster.nodes.control_plane import BRIDGE
from tests.cluster.nodes.images import Image
from tests.cluster.nodes.machine import Machine, run

CONTAINERD: Final = """\
version = 2
root = "{disk}/containerd"
state = "{state}/containerd"
[grpc]
address = "{state}/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{pause}"
restrict_oom_score_adj = true
netns_mounts_under_state_dir = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{plugins}"
conf_dir = "{disk}/cni"
[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "overlayfs"
[plugins."io.containerd.internal.v1.opt"]
path = "{disk}/opt"
"""


class Node:
    """One node; begin within the control plane's network.

    Attributes:
        name: As Kubernetes calls it.
    """

    def __init__(self, machine: Machine, number: int, kubeconfig: Path, proxy: Path) -> None:
        self.name = f"n{number}"
        self.address = addresses.node(number)
        self._machine = machine
        self._number = number
        self._kubeconfig, self._proxy_kubeconfig = kubeconfig, proxy
        self._disk = machine.directory / "disk"
        self._state = machine.directory / "state"  # gone with the power, as /run is
        self._cable = f"to-{self.name}"

    @property
    def on(self) -> bool:
        return self._machine.on

    @property
    def pid(self) -> int:
        """Of its first process, from which all others descend, as the host counts."""
        return self._machine.pid

    def start(self, images: Sequence[Image] = ()) -> None:
        """Switch it on; returns when its kubelet runs, not when it is Ready.

        Args:
            images: What is laid upon its disk; needed once.
        """
        shutil.rmtree(self._state, ignore_errors=True)
        self._state.mkdir(parents=True)
        self._disk.mkdir(exist_ok=True)
        self._machine.start()
        self._connect()
        self._write_configuration()
        self._machine.begin("containerd", "containerd", "--config", self._disk / "containerd.toml")
        self._await_containerd()
        for image in images:
            self.load(image)
        self._machine.begin(
            "kubelet",
            commands.KUBELET.built(),
            f"--config={self._disk / 'kubelet.json'}",
            f"--kubeconfig={self._kubeconfig}",
            f"--root-dir={self._disk / 'kubelet'}",
            f"--cert-dir={self._disk / 'pki'}",
            f"--hostname-override={self.name}",
            f"--node-ip={self.address}",
        )
        self._machine.begin(
            "kube-proxy",
            commands.PROXY.built(),
            f"--kubeconfig={self._proxy_kubeconfig}",
            *commands.proxy_options(self.name, self.address),
        )

    def load(self, image: Image) -> None:
        """Lay an image upon its disk."""
        self._ctr("images", "import", image.archive)
        for alias in image.aliases:
            self._ctr("images", "tag", "--force", image.name, alias)

    def run(self, *command: str | Path) -> str:
        """What a command on it printed; a failure raises."""
        return self._machine.run(*command)

    def begin(self, name: str, *command: str | Path) -> None:
        """Start one more program on it; it is not started again with the power."""
        self._machine.begin(name, *command)

    def crash(self) -> None:
        """Its power fails: everything on it dies at once."""
        self._machine.stop()

    def partition(self) -> None:
        """Draw its cable: it lives, and nobody reaches it nor is reached by it."""
        run("ip", "link", "set", self._cable, "down")

    def heal(self) -> None:
        run("ip", "link", "set", self._cable, "up")

    def remove(self) -> None:
        self._machine.remove()

    def said(self, program: str) -> str:
        """The end of what one of its programs said."""
        log = self._machine.directory / f"{program}.log"
        return log.read_text(errors="replace")[-20_000:] if log.exists() else ""

    def _connect(self) -> None:
        """Lay the cable, of which one end went with the power if there was one."""
        there = str(self._machine.pid)
        ends = ("type", "veth", "peer", "name", "eth0", "netns", there)
        run("ip", "link", "add", self._cable, *ends)
        run("ip", "link", "set", self._cable, "master", BRIDGE, "up")
        inside = self._machine.run
        inside("ip", "addr", "add", f"{self.address}/{addresses.PREFIX}", "dev", "eth0")
        inside("ip", "link", "set", "eth0", "up")
        inside("ip", "route", "add", "default", "via", addresses.CONTROL_PLANE)
        inside("sysctl", "-qw", "net.ipv4.ip_forward=1")
        run("ip", "route", "replace", addresses.pods(self._number), "via", self.address)

    def _write_configuration(self) -> None:
        (self._disk / "cni").mkdir(exist_ok=True)
        network = json.dumps(_pod_network(self._disk / "addresses", self._number))
        (self._disk / "cni" / "10-pods.conflist").write_text(network)
        containerd = CONTAINERD.format(
            disk=self._disk, state=self._state, pause=PAUSE_IMAGE, plugins=commands.PLUGINS
        )
        (self._disk / "containerd.toml").write_text(containerd)
        kubelet = json.dumps(self._kubelet_configuration())
        (self._disk / "kubelet.json").write_text(kubelet)

    def _kubelet_configuration(self) -> dict[str, Any]:
        return {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "address": self.address,
            # Nobody is in this network but the cluster and its tests.
            "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
            "authorization": {"mode": "AlwaysAllow"},
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": f"/{self._machine.name}",
            "failCgroupV1": False,
            "failSwapOn": False,
            "containerRuntimeEndpoint": f"unix://{self._state}/containerd.sock",
            "clusterDNS": [addresses.CONTROL_PLANE],
            "clusterDomain": addresses.DNS_DOMAIN,
            "resolvConf": "",
            "imageGCHighThresholdPercent": 100,
            "evictionHard": {"memory.available": "100Mi"},
            "localStorageCapacityIsolation": False,
            "healthzBindAddress": "127.0.0.1",
            "nodeStatusUpdateFrequency": "2s",
            "podLogsDir": str(self._disk / "pod-logs"),
        }

    def _await_containerd(self) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                self._ctr("version")
            except AssertionError:
                time.sleep(0.05)  # a program in another process says in no other way that it is
            else:
                return
        raise RuntimeError(f"containerd of {self.name} did not start: {self.said('containerd')}")

    def _ctr(self, *arguments: str | Path) -> str:
        socket = self._state / "containerd.sock"
        return self._machine.run("ctr", "--address", socket, "--namespace", "k8s.io", *arguments)


def _pod_network(leases: Path, number: int) -> dict[str, Any]:
    bridge = {
        "type": "bridge",
        "bridge": "pods",
        "isGateway": True,
        "ipMasq": False,
        "hairpinMode": True,
        "ipam": {
            "type": "host-local",
            "dataDir": str(leases),
            "ranges": [[{"subnet": addresses.pods(number)}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    ports = {"type": "portmap", "capabilities": {"portMappings": True}}
    return {"cniVersion": "0.4.0", "name": "pods", "plugins": [bridge, ports]}
