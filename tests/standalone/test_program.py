"""The program as a person runs it: the quick start, its end, and what stops it from starting."""

import asyncio
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import cv2
import numpy as np
import psutil
import pytest

from ingest_simulator.camera import Auth, SimulatedCamera
from ingest_simulator.simulator import Simulator
from tests.fakes.standalone_program import COMMAND, Program, standalone

CAMERA = SimulatedCamera(
    name="stream",
    width=160,
    height=96,
    fps=10,
    gop=10,
    clip_seconds=2,
    auth=Auth.DIGEST_MD5,
    username="user",
    password="pass",
)
ADD = """curl -sSf -X POST {base}/api/cameras -H 'Content-Type: application/json' -d '{{
  "id": "cam_001", "source_type": "rtsp", "source_url": "{url}"}}'"""
PUSH = """curl -sSf -X POST {base}/api/ingest/push/cam_002 \\
  -F "frame_file=@frame.jpg" -F "timestamp=$(date +%s.%N)\""""
LATEST = "curl -sSf {base}/api/cameras/{camera}/frame/latest --output latest.jpg"


async def run(command: str, where: Path) -> str:
    """Run a shell's command that must not fail; what it printed."""
    process = await asyncio.create_subprocess_shell(
        command, cwd=where, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    printed, complaint = await process.communicate()
    assert process.returncode == 0, complaint.decode()
    return printed.decode()


async def test_the_quick_start_works_word_by_word(tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    picture = np.full((96, 160, 3), 200, np.uint8)
    assert cv2.imwrite(str(tmp_path / "frame.jpg"), picture)
    async with (
        asyncio.timeout(40),
        Simulator() as simulator,
        standalone(tmp_path / "cameras") as program,
    ):
        url = (await simulator.add(CAMERA)).replace("://", "://user:pass@")
        assert '"cam_001"' in await run(ADD.format(base=program.base, url=url), tmp_path)
        body = {"id": "cam_002", "source_type": "http_push"}
        assert (await program.call("POST", "/api/cameras", body))[0] == 201
        await taken(program, "cam_002")
        assert "sequence" in await run(PUSH.format(base=program.base), tmp_path)
        for camera in ("cam_001", "cam_002"):
            await program.connected(camera)
            await run(LATEST.format(base=program.base, camera=camera), tmp_path)
            shown = cv2.imread(str(tmp_path / "latest.jpg"))
            assert shown is not None
            assert shown.shape == (96, 160, 3)


async def taken(program: Program, camera: str) -> None:
    """Wait until the worker has begun with a camera."""
    live = None
    while live is None:
        _, view = await program.call("GET", f"/api/cameras/{camera}")
        live = view["status"]["live"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
async def test_it_stops_within_three_seconds_and_leaves_nothing(
    tmp_path: Path, number: signal.Signals
) -> None:
    async with (
        asyncio.timeout(40),
        Simulator() as simulator,
        standalone(tmp_path / "cameras") as program,
    ):
        url = (await simulator.add(CAMERA)).replace("://", "://user:pass@")
        body = {"id": "cam_001", "source_type": "rtsp", "source_url": url}
        await program.call("POST", "/api/cameras", body)
        await program.connected("cam_001")
        children = psutil.Process(program.pid).children(recursive=True)
        assert any("redis" in child.name() for child in children)
        assert list(program.temporary.iterdir())
        assert await program.stop(number, seconds=3) == 0
        _, alive = psutil.wait_procs(children, timeout=3)
        assert not alive
        assert not list(program.temporary.iterdir())
        assert simulator.playing("stream") == 0
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", int(program.base.rpartition(":")[2])))
    assert not list((tmp_path / "cameras").glob(".tmp*"))
    assert not [line for line in program.lines if line["level"] == "error"]


def refused(tmp_path: Path, *options: str, listen: str = "127.0.0.1:0") -> tuple[int, str]:
    """Exit status and what was said by a program that must not start."""
    where = ("--cameras", str(tmp_path / "cameras"), "--listen", listen)
    done = subprocess.run(
        [COMMAND, "standalone", *where, *options],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout + done.stderr


def test_a_port_in_use_is_said_and_ends_it(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        status, said = refused(tmp_path, "--redis-url", "none", listen=f"127.0.0.1:{port}")
    assert status == 1
    assert f"{port}" in said
    assert "in use" in said


@pytest.mark.parametrize(
    "url", ["http://u:hunter2@h/0", "redis://u:hunter2@h:99999/0", "redis://u:hunter2@/x?y=z"]
)
def test_a_wrong_redis_url_is_said_without_its_password(tmp_path: Path, url: str) -> None:
    status, said = refused(tmp_path, "--redis-url", url)
    assert status in (1, 2)
    assert "edis" in said
    assert "hunter2" not in said


async def test_a_second_process_on_the_directory_refuses(tmp_path: Path) -> None:
    options = ("--redis-url", "none")
    async with standalone(tmp_path / "cameras", *options) as program:
        status, said = await asyncio.to_thread(refused, tmp_path, *options)
        assert status == 1
        assert str(tmp_path / "cameras") in said
        assert str(program.pid) in said
        assert (await program.call("GET", "/healthz"))[0] == 200
