"""The chart's NetworkPolicies, enforced: what each program needs is open, and nothing else.

The simulator's pod stands for everybody: it is in the namespace, and none of the release.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import pytest

from ingest_core import names
from tests.cluster.command_line import CommandLine
from tests.cluster.nodes import addresses, firewall
from tests.cluster.nodes.cluster import Cluster
from tests.e2e import states
from tests.e2e.site import Site

NAMESPACE: Final = "walled"
SIMULATOR: Final = [{"podSelector": {"matchLabels": {names.LABEL_NAME: "simulator"}}}]
API_SERVER: Final = [{"ipBlock": {"cidr": f"{addresses.CONTROL_PLANE}/32"}}]
PORTS: Final = {"operator": 8081, "gateway": 8000, "worker": 8080, "redis": 6379, "simulator": 8554}
OPEN: Final = {
    "simulator": {"gateway"},  # as gatewayFrom has it
    "operator": set[str](),
    "gateway": {"worker"},
    "worker": {"redis", "simulator"},
}
PROBE: Final = """
import json, socket, sys
found = []
for name, host, port in json.loads(sys.argv[1]):
    try:
        socket.create_connection((host, port), 3).close()
        found.append(name)
    except OSError:
        pass
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def walled(site: Site, nodes: Cluster) -> Iterator[CommandLine]:
    firewall.enforce(nodes)
    installation = site.installation(NAMESPACE, _values(nodes.control_plane.server.url))
    installation.make_namespace()
    installation.install()
    installation.add_cameras()
    yield installation.by
    site.admin.kubectl("delete", "namespace", NAMESPACE, "--wait=false")


def test_behind_the_policies_cameras_are_captured_and_all_of_it_is_reached(
    walled: CommandLine,
) -> None:
    """add_cameras has waited for frames; `helm test` asks everybody."""
    assert "Succeeded" in walled.helm("test", "cameras", "--timeout=2m")


@pytest.mark.parametrize("source", OPEN)
def test_a_program_reaches_what_it_needs_and_nobody_else(walled: CommandLine, source: str) -> None:
    hosts = _hosts(walled)

    found = states.until(
        lambda: _reached(walled, source, hosts), lambda found: found == OPEN[source]
    )

    assert found == OPEN[source]


def test_where_there_are_no_policies_everybody_reaches_everybody(
    walled: CommandLine, cameras: CommandLine
) -> None:
    """So what is closed above is closed by them."""
    assert _reached(cameras, "simulator", _hosts(cameras)) == {*PORTS} - {"simulator"}
    assert _reached(cameras, "simulator", _hosts(walled)) == set()


def _values(api_server: str) -> Mapping[str, Any]:
    """Of the chart: one of each, and who is where."""
    port = urlsplit(api_server).port
    return {
        "operator": {"replicas": 1},
        "gateway": {"replicas": 1},
        "pool": {"spec": {"replicas": 1}},
        "networkPolicy": {
            "enabled": True,
            "gatewayFrom": SIMULATOR,
            "cameras": SIMULATOR,
            "apiServer": API_SERVER,
            "apiServerPorts": [port],
        },
    }


def _reached(by: CommandLine, source: str, hosts: Mapping[str, Any]) -> set[str]:
    """Whose port answers somebody in the pod of a program, but for its own."""
    others = {name: port for name, port in PORTS.items() if name != source}
    targets = [(name, hosts[name]["podIP"], port) for name, port in others.items()]
    command = ("/app/bin/python3", "-c", PROBE, json.dumps(targets))
    pod = _hosts(by)[source]["name"]
    return {*json.loads(by.kubectl("exec", pod, "--", *command))}


def _hosts(by: CommandLine) -> dict[str, dict[str, str]]:
    """One pod of each program: its name and its address."""
    found = {}
    for pod in json.loads(by.kubectl("get", "pods", "--output=json"))["items"]:
        labels = pod["metadata"]["labels"]
        program = labels.get(names.LABEL_COMPONENT) or labels.get(names.LABEL_NAME)
        found[program] = {"name": pod["metadata"]["name"], "podIP": pod["status"].get("podIP", "")}
    return found
