"""The gateway from outside of a cluster: an Ingress, served by Contour and Envoy."""

import time
from http.client import HTTPConnection
from pathlib import Path
from typing import Final

import pytest

from tests.cluster.command_line import CommandLine
from tests.cluster.nodes import ingress
from tests.cluster.nodes.cluster import Cluster
from tests.e2e.site import Site

HOST: Final = "cameras.example.com"
SECONDS: Final = 60.0


@pytest.fixture(scope="module")
def front(site: Site, nodes: Cluster, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Address of a node whose port 80 is Envoy's."""
    directory: Path = tmp_path_factory.mktemp("images")
    for image in ingress.images(directory):
        nodes.load(image)
    ingress.install(site.admin)
    return nodes.nodes["n1"].address


def test_an_ingress_serves_the_latest_frame_by_its_host_and_nothing_by_another(
    cameras: CommandLine, site: Site, front: str
) -> None:
    values = {"gateway": {"ingress": {"enabled": True, "hosts": [HOST]}}}
    site.installation(cameras.namespace, values).install()

    path = "/api/cameras/lobby/frame/latest"

    assert _answer(front, HOST, path, until=200)[:2] == b"\xff\xd8"
    assert _answer(front, "other.example.com", path, until=404) == b""


def _answer(address: str, host: str, path: str, until: int) -> bytes:
    """The body, as soon as the status is this one: Envoy learns of an Ingress within moments."""
    deadline = time.monotonic() + SECONDS
    while True:
        status, body = _ask(address, host, path)
        if status == until:
            return body
        assert time.monotonic() < deadline, f"{status}, not {until}: {body[:300]!r}"
        time.sleep(0.2)


def _ask(address: str, host: str, path: str) -> tuple[int, bytes]:
    connection = HTTPConnection(address, 80, timeout=10)
    try:
        connection.request("GET", path, headers={"Host": host})
        answer = connection.getresponse()
        return answer.status, answer.read()
    except OSError as error:
        return 0, str(error).encode()
    finally:
        connection.close()
