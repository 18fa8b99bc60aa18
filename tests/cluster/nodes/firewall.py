"""NetworkPolicies in a cluster of nodes, enforced by kube-router on each of them.

Without it they are accepted and mean nothing. A namespace that has none notices nothing of it.

As a program it builds what it needs: `python -m tests.cluster.nodes.firewall`.
"""

import sys
from typing import Final

from tests.cluster.go_commands import GoCommand, build_as_program
from tests.cluster.nodes.cluster import Cluster

KUBE_ROUTER: Final = GoCommand(
    "kube-router",
    "v2.1.0",
    folder="kube-router",
    package="github.com/cloudnativelabs/kube-router/v2/cmd/kube-router",
)
ONLY_POLICIES: Final = (
    "--run-firewall=true",
    "--run-router=false",
    "--run-service-proxy=false",
    "--run-loadbalancer=false",
    "--health-port=0",
    "--metrics-port=0",
)


def enforce(nodes: Cluster) -> None:
    """From within moments on, and until the cluster ends."""
    for node in nodes.nodes.values():
        # What goes from one pod of a node to another crosses its bridge alone.
        node.run("sysctl", "--quiet", "--write", "net.bridge.bridge-nf-call-iptables=1")
        options = (f"--kubeconfig={nodes.kubeconfig}", f"--hostname-override={node.name}")
        node.begin("kube-router", KUBE_ROUTER.built(), *options, *ONLY_POLICIES)


if __name__ == "__main__":
    sys.exit(build_as_program([KUBE_ROUTER], KUBE_ROUTER.built))
