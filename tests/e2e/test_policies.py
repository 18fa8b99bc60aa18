"""The chart's NetworkPolicies, enforced: what each program needs is open, and nothing else.

The simulator's pod stands for everybody: it is in the namespace, and none of the release. The
release in `cameras`, which has no policies, is what is foreign.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import pytest

from ingest_core import names
from tests.cluster.command_line import CommandLine
from tests.cluster.go_commands import Unavailable
from tests.cluster.nodes import addresses, firewall
from tests.cluster.nodes.cluster import Cluster
from tests.e2e import states
from tests.e2e.site import Site

Place = tuple[str, int]  # a host and a port

NAMESPACE: Final = "walled"
SIMULATOR: Final = [{"podSelector": {"matchLabels": {names.LABEL_NAME: "simulator"}}}]
API_SERVER: Final = [{"ipBlock": {"cidr": f"{addresses.CONTROL_PLANE}/32"}}]
PORTS: Final = {"operator": 8081, "gateway": 8000, "worker": 8080, "redis": 6379, "simulator": 8554}
SERVER: Final = "API server"
FOREIGN: Final = {f"foreign {name}" for name in PORTS}
OPEN: Final = {
    "simulator": {"gateway", SERVER, *FOREIGN},  # as gatewayFrom has it; and nothing holds it back
    "operator": {SERVER},
    "gateway": {"worker", SERVER},
    "worker": {"redis", "simulator", SERVER},
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
    try:
        firewall.enforce(nodes)
    except Unavailable as error:
        pytest.skip(f"{error}; python -m tests.cluster.nodes.firewall makes it beforehand")
    installation = site.installation(NAMESPACE, _values(_port(nodes)))
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
def test_a_program_reaches_what_it_needs_and_nothing_else(
    walled: CommandLine, cameras: CommandLine, nodes: Cluster, source: str
) -> None:
    foreign = {f"foreign {name}": place for name, place in _programs(cameras).items()}
    places = {**_programs(walled), **_server(nodes), **foreign}

    states.until(lambda: _reached(walled, source, places), lambda found: found == OPEN[source])


@pytest.mark.usefixtures("walled")
@pytest.mark.parametrize("source", OPEN)
def test_where_there_are_no_policies_everybody_reaches_everybody(
    cameras: CommandLine, nodes: Cluster, source: str
) -> None:
    """So what is closed above is closed by them."""
    places = {**_programs(cameras), **_server(nodes)}

    assert _reached(cameras, source, places) == places.keys() - {source}


@pytest.mark.parametrize("source", OPEN)
def test_nobody_of_another_namespace_reaches_a_release_behind_policies(
    walled: CommandLine, cameras: CommandLine, source: str
) -> None:
    places = {f"foreign {name}": place for name, place in _programs(walled).items()}

    assert _reached(cameras, source, places) == {"foreign simulator"}  # which is none of it


def _values(port: int) -> Mapping[str, Any]:
    """Of the chart: one of each, and who is where; the API server's port."""
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


def _reached(by: CommandLine, source: str, places: Mapping[str, Place]) -> set[str]:
    """Which places answer somebody in the pod of a program, but for its own."""
    targets = [(name, *place) for name, place in places.items() if name != source]
    command = ("/app/bin/python3", "-c", PROBE, json.dumps(targets))
    pod = _pods(by)[source]["metadata"]["name"]
    return {*json.loads(by.kubectl("exec", pod, "--", *command))}


def _programs(by: CommandLine) -> dict[str, Place]:
    """One of each, in a namespace."""
    pods = _pods(by)
    return {name: (pods[name]["status"]["podIP"], port) for name, port in PORTS.items()}


def _server(nodes: Cluster) -> dict[str, Place]:
    return {SERVER: (addresses.CONTROL_PLANE, _port(nodes))}


def _port(nodes: Cluster) -> int:
    """Of the API server."""
    port = urlsplit(nodes.control_plane.server.url).port
    assert port is not None
    return port


def _pods(by: CommandLine) -> dict[str, Any]:
    """One that runs, of each program."""
    found = {}
    running = "--field-selector=status.phase=Running"
    for pod in states.items(by, "pods", running):
        labels = pod["metadata"]["labels"]
        found[labels.get(names.LABEL_COMPONENT) or labels.get(names.LABEL_NAME)] = pod
    return found
