"""`camera-ingest demo` as its user sees it: what it prints, and what it leaves behind."""

import asyncio
import os
import re
import signal
import sys
from pathlib import Path

from aiohttp import web

from ingest_core.http import Listen, serve
from ingest_standalone.demo import _push

COMMAND = (sys.executable, "-m", "ingest_standalone.cli", "demo", "--listen", "127.0.0.1:0")


async def test_the_demo_shows_every_camera_and_leaves_nothing_behind(tmp_path: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path), "COLUMNS": "80"}
    demo = await asyncio.create_subprocess_exec(
        *COMMAND, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, env=environment
    )
    assert demo.stdout is not None
    output = ""
    async with asyncio.timeout(60):
        while not re.search(r"lobby .* connected .*\d+\.\d\d s", output):
            output += (await demo.stdout.readline()).decode()
        demo.send_signal(signal.SIGINT)
        rest, _ = await demo.communicate()
    output += rest.decode()
    assert demo.returncode == 0
    for camera in ("lobby", "yard", "cam_003", "vault", "gate", "flaky"):
        assert camera in output
    assert "curl http://127.0.0.1:" in output
    assert "Traceback" not in output
    assert "w/ord" not in output
    assert output.rstrip().endswith("Stopped; nothing is left behind.")
    assert os.listdir(tmp_path) == []  # noqa: PTH208 - one look, at the end


async def test_a_terminal_that_closes_while_it_draws_ends_it_at_once_and_leaves_nothing(
    tmp_path: Path,
) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    demo = await asyncio.create_subprocess_exec(
        *COMMAND, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, env=environment
    )
    assert demo.stdout is not None
    async with asyncio.timeout(30):
        assert b"Drawing" in await demo.stdout.readline()
        demo.send_signal(signal.SIGHUP)
        rest, _ = await demo.communicate()
    assert demo.returncode == 0
    assert rest.decode().splitlines() == ["Stopping …", "Stopped; nothing is left behind."]
    assert os.listdir(tmp_path) == []  # noqa: PTH208 - one look, at the end


async def test_a_push_that_fails_is_followed_by_the_next(tmp_path: Path) -> None:
    pushed, taken = 0, asyncio.Event()

    async def push(request: web.Request) -> web.Response:
        nonlocal pushed
        pushed += 1
        if pushed == 1:
            raise ConnectionResetError
        await request.read()
        taken.set()
        return web.Response()

    app = web.Application()
    app.router.add_post("/api/ingest/push/gate", push)
    async with asyncio.timeout(20), serve(app, Listen("127.0.0.1", 0)) as (address,):
        pushing = asyncio.create_task(_push(f"http://{address}"))
        await asyncio.wait(
            [pushing, asyncio.create_task(taken.wait())], return_when="FIRST_COMPLETED"
        )
        assert not pushing.done()
        pushing.cancel()
        await asyncio.wait([pushing])
