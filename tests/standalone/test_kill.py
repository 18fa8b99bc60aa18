"""kill -9 of the program, and start again: nothing is lost but the seconds in between."""

import asyncio
import time
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec
import psutil
import redis.asyncio

from ingest_simulator.camera import Auth, SimulatedCamera
from ingest_simulator.simulator import Simulator
from tests.fakes.captured_camera import eventually
from tests.fakes.standalone_program import Program, standalone

CAMERA = SimulatedCamera(
    name="open", width=160, height=96, fps=10, gop=10, clip_seconds=2, username="admin"
)
LOGIN = {"auth": Auth.DIGEST_MD5, "password": "k!ll -9"}
CAMERAS = ("cam_001", "cam_002")
RUNS = 2


async def test_after_a_kill_everything_is_there_again_within_five_seconds(tmp_path: Path) -> None:
    events: list[dict[str, Any]] = []
    async with asyncio.timeout(60), Simulator() as simulator:
        sources = {
            "cam_001": await simulator.add(CAMERA),
            "cam_002": await simulator.add(msgspec.structs.replace(CAMERA, name="shut", **LOGIN)),
        }
        for run in range(RUNS):
            began = time.monotonic()
            async with standalone(tmp_path) as program:
                if run == 0:
                    await add(program, sources)
                hearing = asyncio.create_task(hear(program, events))
                for camera in CAMERAS:
                    view = await program.connected(camera)
                    assert view["source_url"] == sources[camera]
                    assert (await program.call("GET", f"/api/cameras/{camera}/frame/latest"))[
                        0
                    ] == 200
                assert run == 0 or time.monotonic() - began < 5
                heard = len(events)
                await eventually(lambda: len(events) > heard + 10)  # noqa: B023 - done in the loop
                await kill(program)
                hearing.cancel()
    assert len({event["source"] for event in events}) == RUNS
    assert {event["subject"] for event in events} == set(CAMERAS)
    counted = Counter((event["source"], event["id"]) for event in events)
    assert counted.most_common(1)[0][1] == 1


async def add(program: Program, sources: dict[str, str]) -> None:
    for camera, url in sources.items():
        body = {"id": camera, "source_type": "rtsp", "source_url": url}
        if camera == "cam_002":
            body |= {"username": "admin", "password": LOGIN["password"]}
        assert (await program.call("POST", "/api/cameras", body))[0] == 201


async def kill(program: Program) -> None:
    """Kill -9, and see its own Redis go with it."""
    children = psutil.Process(program.pid).children(recursive=True)
    assert any("redis" in child.name() for child in children)
    program.process.kill()
    await program.process.wait()
    _, alive = await asyncio.to_thread(psutil.wait_procs, children, 5)
    assert not alive
    await eventually(lambda: not list(program.temporary.glob("camera-ingest-redis-*")))


async def hear(program: Program, events: list[dict[str, Any]]) -> None:
    """Every event that the program's own Redis tells."""
    url = next(line["url"] for line in program.lines if line["event"] == "redis_embedded")
    async with redis.asyncio.Redis(unix_socket_path=unquote(urlsplit(url).path)) as client:
        channel = client.pubsub()
        await channel.psubscribe("camera:*")
        try:
            async for message in channel.listen():
                if message["type"] == "pmessage":
                    event = msgspec.json.decode(message["data"])
                    events.append(event)
        except redis.ConnectionError:
            return
        finally:
            await channel.aclose()  # type: ignore[no-untyped-call]
