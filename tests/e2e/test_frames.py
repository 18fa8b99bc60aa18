"""Frames of cameras in a cluster, as a person gets them."""

from urllib.request import urlopen

from tests.cluster.command_line import CommandLine
from tests.e2e.site import forwarded


def test_the_gateways_service_serves_the_latest_frame_of_a_camera_with_a_login(
    cameras: CommandLine,
) -> None:
    with (
        forwarded(cameras, "service/cameras-camera-ingest-gateway", 80) as gateway,
        urlopen(f"http://{gateway}/api/cameras/lobby/frame/latest") as answer,
    ):
        picture, kind = answer.read(), answer.headers["Content-Type"]

    assert (kind, picture[:2], picture[-2:]) == ("image/jpeg", b"\xff\xd8", b"\xff\xd9")
