"""Who has which address in a cluster's network, which is its own. Pure.

10.90.0.0/24     the nodes and, at .1, the control plane: API server, DNS, and what is outside
10.91.N.0/24     the pods of node N
10.96.0.0/16     Services, as the API server gives them
"""

from typing import Final

CONTROL_PLANE: Final = "10.90.0.1"
PREFIX: Final = 24
PODS: Final = "10.91.0.0/16"
DNS_DOMAIN: Final = "cluster.local"


def node(number: int) -> str:
    """Address of a node; they are counted from 1."""
    return f"10.90.0.{10 + number}"


def pods(number: int) -> str:
    """The network of a node's pods."""
    return f"10.91.{number}.0/24"
