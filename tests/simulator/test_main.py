"""The program, as a process of its own."""

import argparse
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
from aiohttp import ClientSession

from ingest_simulator import main
from ingest_simulator.main import FirstLine
from tests.simulator.raw_client import RawClient

COMMAND = [sys.executable, "-m", "ingest_simulator.main", "--listen", "127.0.0.1:0", "--json"]
TINY = ["--cameras", "2", "--size", "160x96", "--codec", "mjpeg", "--distinct", "1"]


@contextmanager
def started(folder: Path, *arguments: str, password: str = "") -> Iterator[subprocess.Popen[str]]:
    environment = {**os.environ, "XDG_CACHE_HOME": str(folder), main.PASSWORD_VARIABLE: password}
    with subprocess.Popen(
        [*COMMAND, *TINY, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
async def test_the_program_says_where_it_is_and_stops_cleanly(
    clip_folder: Path, number: signal.Signals
) -> None:
    with started(clip_folder, "--control", "127.0.0.1:0") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        line = msgspec.json.decode(process.stdout.readline(), type=FirstLine)
        assert [camera.name for camera in line.cameras] == ["cam1", "cam2"]
        assert line.cameras[1].url == f"rtsp://{line.listen}/cam2"
        async with ClientSession() as http, http.get(f"http://{line.control}/cameras") as told:
            assert told.status == 200
        async with await RawClient.open(line.cameras[0].url) as client:
            await client.play()
            await client.timestamps(1)
            process.send_signal(number)
            assert process.wait(timeout=10) == 0
        assert process.stderr.read().count("\n") == 1


def test_a_password_comes_from_the_environment_and_is_never_printed(tmp_path: Path) -> None:
    with started(tmp_path, "--auth", "basic", password="s3cret") as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        process.terminate()
        out, err = process.communicate(timeout=10)
    assert first.startswith("{")
    assert "s3cret" not in first + out + err


@pytest.mark.parametrize(
    "arguments",
    [["--auth", "basic"], ["--cameras", "-1"], ["--distinct", "0"], ["--size", "17x96"]],
)
def test_a_misuse_is_told_in_one_line(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    parser = argparse.ArgumentParser()
    main.add_arguments(parser)
    assert main.run(parser.parse_args(arguments)) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_port_that_is_taken_is_told_in_one_line(tmp_path: Path) -> None:
    with started(tmp_path) as first:
        assert first.stdout is not None
        where = msgspec.json.decode(first.stdout.readline(), type=FirstLine).listen
        with started(tmp_path, "--listen", where) as second:
            _, err = second.communicate(timeout=10)
            assert second.returncode == 1
    assert err.startswith(f"camera-ingest simulator: cannot listen on {where} for RTSP: ")
    assert err.count("\n") == 1


def test_a_control_port_that_is_taken_is_told_as_that(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        where = f"127.0.0.1:{taken.getsockname()[1]}"
        with started(tmp_path, "--control", where) as refused:
            _, err = refused.communicate(timeout=20)
            assert refused.returncode == 1
    assert f"cannot listen on {where} for the control API: " in err
    assert "Traceback" not in err


@pytest.mark.parametrize("text", ["here", "127.0.0.1:99999", "127.0.0.1:"])
def test_an_endpoint_that_is_none_is_refused(text: str) -> None:
    parser = argparse.ArgumentParser(exit_on_error=False)
    main.add_arguments(parser)
    with pytest.raises(argparse.ArgumentError):
        parser.parse_args(["--listen", text])
