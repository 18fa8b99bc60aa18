"""The commands that a cluster of nodes is made of; what is missing is built.

As a program it builds them: `python -m tests.cluster.nodes.commands`.
"""

import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from tests.cluster.binaries import KUBE_APISERVER
from tests.cluster.go_commands import GoCommand, Unavailable, build_as_program
from tests.cluster.nodes import addresses, machine


def _kubernetes(name: str) -> GoCommand:
    return replace(KUBE_APISERVER, name=name, package=f"k8s.io/kubernetes/cmd/{name}")


CONTROLLER_MANAGER: Final = _kubernetes("kube-controller-manager")
SCHEDULER: Final = _kubernetes("kube-scheduler")
KUBELET: Final = _kubernetes("kubelet")
PROXY: Final = _kubernetes("kube-proxy")
COREDNS: Final = GoCommand(
    "coredns", "v1.12.4", folder="coredns", package="github.com/coredns/coredns"
)
BUILT: Final = (KUBE_APISERVER, CONTROLLER_MANAGER, SCHEDULER, KUBELET, PROXY, COREDNS)

INSTALLED: Final = ("containerd", "ctr", "runc", "iptables", "nft")
PLUGINS: Final = "/usr/lib/cni"


def proxy_options(name: str, address: str) -> tuple[str, ...]:
    """Options of kube-proxy on a host."""
    return (
        f"--hostname-override={name}",
        f"--bind-address={address}",
        "--proxy-mode=nftables",  # iptables' tables are rewritten as a whole by the firewall
        f"--cluster-cidr={addresses.PODS}",
        "--conntrack-max-per-core=0",  # these are settings of the kernel, which is not ours alone
        "--conntrack-tcp-timeout-established=0",
        "--conntrack-tcp-timeout-close-wait=0",
        "--healthz-bind-address=127.0.0.1:10256",
        "--metrics-bind-address=127.0.0.1:10249",
    )


def obstacle() -> str | None:
    """Why a cluster of nodes cannot be had here, but for what is built; None: it can."""
    if reason := machine.obstacle():
        return reason
    missing = [name for name in INSTALLED if shutil.which(name) is None]
    return f"not installed: {', '.join(missing)}" if missing else None


def build() -> None:
    """Build what is missing (minutes, once).

    Raises:
        Unavailable: Something is not here and cannot be made.
    """
    if reason := obstacle():
        raise Unavailable(reason)
    for command in BUILT:
        command.built()


def reasons_to_build() -> Iterator[str]:
    """What `build` would build, as lines for people."""
    for command in BUILT:
        if reason := command.reason_to_build():
            yield reason


if __name__ == "__main__":
    sys.exit(build_as_program(BUILT, build))
