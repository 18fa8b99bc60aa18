"""`camera-ingest probe`: where the password comes from, and what is said of what was seen."""

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator

import msgspec
import pytest

from ingest_core.credentials import Credentials
from ingest_core.errors import Failure
from ingest_core.model import Decode
from ingest_simulator.camera import SimulatedCamera
from ingest_simulator.simulator import Simulator
from ingest_standalone import probing
from ingest_standalone.probing import PASSWORD_VARIABLE, login
from ingest_worker.probe import ADVICE, Findings, probe
from ingest_worker.rtsp import Target

URL = "rtsp://192.0.2.1/stream"
AS_ADMIN = "rtsp://admin@192.0.2.1/stream"


def nobody(prompt: str) -> str:
    raise AssertionError(f"asked: {prompt}")


def test_without_a_user_nobody_is_asked_for_a_password() -> None:
    assert login(URL, {PASSWORD_VARIABLE: "unused"}, nobody) == (URL, None)


def test_the_password_of_a_user_comes_from_the_environment() -> None:
    found = login(AS_ADMIN, {PASSWORD_VARIABLE: "p@ss"}, nobody)
    assert found == (URL, Credentials("admin", "p@ss"))


def test_an_empty_password_in_the_environment_is_a_password() -> None:
    assert login(AS_ADMIN, {PASSWORD_VARIABLE: ""}, nobody)[1] == Credentials("admin", "")


def test_else_the_person_is_asked_by_the_users_name() -> None:
    asked: list[str] = []

    def ask(prompt: str) -> str:
        asked.append(prompt)
        return "typed"

    assert login("rtsp://a%40b@192.0.2.1/", {}, ask)[1] == Credentials("a@b", "typed")
    assert asked == ["Password of a@b: "]


def test_a_password_in_the_url_is_refused_and_not_repeated() -> None:
    with pytest.raises(ValueError, match="everybody on this machine can see") as refused:
        login("rtsp://admin:hunter2@192.0.2.1/", {}, nobody)
    assert "hunter2" not in str(refused.value)


def test_what_is_no_url_is_refused() -> None:
    with pytest.raises(ValueError, match="must be a URL"):
        login("192.0.2.1", {}, nobody)


FOUND = Findings(
    transport="TCP",
    codec="h264",
    profile="High",
    width=640,
    height=360,
    fps=5.0,
    keyframe_seconds=2.0,
    bitrate=1_234_567,
    decode_ms=1.5,
    first_frame_seconds=0.3,
    frames=25,
    decode_errors=0,
    weight=11,
)


def test_what_was_seen_is_a_table_for_people() -> None:
    rows = dict(line.split(maxsplit=1) for line in probing._table(FOUND).splitlines())
    assert rows["size"] == "640 x 360"
    assert rows["bitrate"] == "1,235 kbit/s"
    assert rows["keyframes"] == "every 2 s"
    assert rows["codec"] == "h264 (High)"
    assert rows["weight"].startswith("11 ")


def given(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    probing.add_arguments(parser)
    return parser.parse_args(arguments)


@pytest.mark.parametrize("url", ["http://192.0.2.1/", "rtsp:///path", "rtsp://192.0.2.1:99999/"])
def test_a_url_that_no_camera_has_is_refused_before_anything_is_opened(url: str) -> None:
    with pytest.raises(ValueError, match="URL: "):
        probing.run(given(url))


def test_nobody_there_is_told_with_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert probing.run(given("rtsp://127.0.0.1:1/stream", "--timeout", "2")) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "Unreachable: the camera refused the connection" in err
    assert ADVICE[Failure.UNREACHABLE] in err


@pytest.fixture
async def simulated() -> AsyncIterator[str]:
    camera = SimulatedCamera(name="cam", width=160, height=96, fps=20, gop=10, clip_seconds=1)
    async with asyncio.timeout(30), Simulator() as simulator:
        yield await simulator.add(camera)


async def test_a_camera_is_found_as_it_is(simulated: str) -> None:
    target = Target(
        url=simulated,
        transport="TCP",
        credentials=None,
        ca_file=None,
        verify=True,
        connect_seconds=5,
        decode=Decode.ALL,
    )
    found = await probe(target, 1.5)
    assert (found.codec, found.width, found.height) == ("h264", 160, 96)
    assert found.fps == pytest.approx(20, rel=0.2)
    assert found.keyframe_seconds == pytest.approx(0.5, rel=0.2)
    assert found.frames >= 8
    assert found.decode_errors == 0
    assert found.weight >= 5


async def test_findings_as_json_are_all_that_is_printed(simulated: str) -> None:
    command = ("-m", "ingest_standalone.cli", "probe", simulated, "--json", "--seconds", "0.5")
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(30):
        printed, said = await process.communicate()
    assert msgspec.json.decode(printed, type=Findings).codec == "h264"
    assert said.decode() == f"Connecting to {simulated} over TCP …\n"
