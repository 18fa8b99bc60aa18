"""The gateway by each way in that the chart has: Service, Ingress, Ingress with TLS, HTTPRoute.

Contour and Envoy serve the last three.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from tests.cluster.command_line import CommandLine
from tests.cluster.go_commands import Unavailable
from tests.cluster.nodes import ingress
from tests.cluster.nodes.cluster import Cluster
from tests.e2e import states
from tests.e2e.door import Door, door
from tests.e2e.site import Site, forwarded
from tests.fakes.authority import Authority, authority
from tests.fakes.footage import jpeg

PLAIN: Final = "cameras.example.com"
SECURE: Final = "secure.example.com"
ROUTED: Final = "routed.example.com"
SECRET: Final = "gateway-tls"
LATEST: Final = "/api/cameras/lobby/frame/latest"

WAYS: Final = ("Service", "Ingress", "Ingress with TLS", "HTTPRoute")
PICTURES: Final = {way: jpeg(seed=number) for number, way in enumerate(WAYS)}


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("tls") / "authority")


@pytest.fixture(scope="module")
def envoy(
    cameras: CommandLine,
    site: Site,
    nodes: Cluster,
    signed: Authority,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[str]:
    """Address of a node whose ports 80 and 443 are Envoy's, where the gateway has three names."""
    directory: Path = tmp_path_factory.mktemp("images")
    try:
        images = ingress.images(directory)
    except Unavailable as error:
        pytest.skip(f"{error}; python -m tests.cluster.nodes.ingress makes it beforehand")
    for image in images:
        nodes.load(image)
    ingress.install(site.admin)
    certificate, key = signed.sign("gateway", host=f"DNS:{SECURE}")
    for by in (cameras, site.within(ingress.NAMESPACE)):
        files = (f"--cert={certificate}", f"--key={key}")
        by.kubectl("create", "secret", "tls", SECRET, *files)
    ingress.open_gateway(site.admin, SECRET)
    values = {
        "gateway": {
            "ingress": {
                "enabled": True,
                "hosts": [PLAIN, SECURE],
                "tls": [{"hosts": [SECURE], "secretName": SECRET}],
            },
            "httpRoute": {
                "enabled": True,
                "parentRefs": [{"name": ingress.GATEWAY, "namespace": ingress.NAMESPACE}],
                "hostnames": [ROUTED],
            },
        }
    }
    with site.with_values(cameras.namespace, values):
        yield nodes.nodes["n1"].address


@pytest.fixture(scope="module", params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    chosen: str = request.param
    return chosen


@pytest.fixture(scope="module")
def opened(
    way: str, cameras: CommandLine, request: pytest.FixtureRequest, signed: Authority
) -> Iterator[Door]:
    """The gateway, by this way."""
    if way == "Service":
        with forwarded(cameras, "service/cameras-camera-ingest-gateway", 80) as address:
            yield door(f"http://{address}")
        return
    address = request.getfixturevalue("envoy")
    if way == "Ingress with TLS":
        yield door(f"https://{address}", SECURE, signed.certificate)
    else:
        yield door(f"http://{address}", PLAIN if way == "Ingress" else ROUTED)


def test_every_way_in_brings_the_latest_frame_of_a_camera_with_a_login(opened: Door) -> None:
    answer = opened.until(200, LATEST)

    picture, captured = answer.data, float(answer.headers["X-Frame-Timestamp"])
    assert answer.headers["Content-Type"] == "image/jpeg"
    assert (picture[:2], picture[-2:]) == (b"\xff\xd8", b"\xff\xd9")
    assert abs(time.time() - captured) < 10


def test_what_is_pushed_by_every_way_in_is_the_latest_frame(opened: Door, way: str) -> None:
    opened.until(200, LATEST)

    pushed = opened.push("door", PICTURES[way])
    shown = opened.latest("door")

    assert (pushed.status, shown.status) == (202, 200), (pushed.data, shown.data)
    assert shown.headers["X-Frame-Sequence"] == str(pushed.json()["sequence"])
    assert shown.data == PICTURES[way]


def test_every_way_in_tells_of_motion(opened: Door) -> None:
    states.until(lambda: _live(opened), lambda live: bool(live.get("motion_events")))


@pytest.mark.parametrize(("scheme", "status"), [("http", 404), ("https", 421)])
def test_no_other_name_leads_to_the_gateway(
    envoy: str, signed: Authority, scheme: str, status: int
) -> None:
    known = door(f"{scheme}://{envoy}", SECURE, signed.certificate)
    known.until(200, LATEST)

    answer = known.ask(LATEST, headers={"Host": "other.example.com"})

    assert answer.status == status, answer.data


def _live(opened: Door) -> Any:
    shown = msgspec.json.decode(opened.until(200, "/api/cameras/lobby").data)
    return shown["status"]["live"] or {}
