"""The worker's HTTP side, over real connections."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import msgspec
import pytest

from ingest_core.http import Listen, serve
from ingest_core.live import Live
from ingest_core.model import PushSource, RtspSource, Source
from ingest_worker.http_app import make_app
from tests.fakes import footage
from tests.fakes.captured_camera import eventually
from tests.fakes.working import SPEC, Working, working

ANY = Listen("127.0.0.1", 0)
JPEG = {"Content-Type": "image/jpeg"}


class Served:
    def __init__(self, one: Working, port: int, http: aiohttp.ClientSession) -> None:
        self.one = one
        self.port = port
        self.http = http

    async def get(self, path: str) -> tuple[int, bytes, str]:
        async with self.http.get(path) as answer:
            return answer.status, await answer.read(), answer.content_type

    async def push(self, camera: str, **headers: str) -> int:
        body = footage.jpeg()
        path = f"/cameras/{camera}/push"
        async with self.http.post(path, data=body, headers={**JPEG, **headers}) as answer:
            return answer.status

    async def expecting(self, camera: str, expectation: str = "100-continue") -> bytes:
        """The head of what is answered before a byte of the body was sent."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        head = (
            f"POST /cameras/{camera}/push HTTP/1.1\r\nHost: worker\r\nContent-Type: image/jpeg\r\n"
            f"Content-Length: 1000000\r\nExpect: {expectation}\r\n\r\n"
        )
        writer.write(head.encode())
        async with asyncio.timeout(1):  # less than a server waits for a body
            answer = await reader.readuntil(b"\r\n\r\n")
        writer.close()
        await writer.wait_closed()
        return answer


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    async with _served() as made:
        yield made


@asynccontextmanager
async def _served() -> AsyncIterator[Served]:
    async with working() as one:
        app = make_app(one.worker, one.exposition, ready=lambda: one.worker.ready)
        async with (
            serve(app, ANY) as (at, *_),
            aiohttp.ClientSession(f"http://127.0.0.1:{at.port}") as http,
        ):
            await one.registry.create("door", SPEC, {})
            await eventually(lambda: "door" in one.worker._pushes)
            yield Served(one, at.port, http)


async def test_a_pushed_frame_is_taken_and_served(served: Served) -> None:
    assert await served.push("door") == 202
    status, body, type_ = await served.get("/cameras/door/frame/latest")
    assert (status, body, type_) == (200, footage.jpeg(), "image/jpeg")
    status, body, _ = await served.get("/cameras/door/frames")
    assert (status, msgspec.json.decode(body)["items"][0]["sequence"]) == (200, 1)
    assert (await served.get("/cameras/door/frames/1"))[0] == 200
    assert (await served.get("/cameras/door/frames/2"))[0] == 404
    assert (await served.get("/cameras/door/frames/x"))[0] == 404


async def test_a_camera_of_another_worker_is_misdirected(served: Served) -> None:
    for path in ("frame/latest", "frames", "frames/1"):
        status, body, type_ = await served.get(f"/cameras/gate/{path}")
        assert (status, type_) == (421, "application/problem+json")
        assert b"does not have camera" in body
    assert await served.push("gate") == 421


async def test_a_camera_is_found_by_its_id(served: Served) -> None:
    named = msgspec.structs.replace(SPEC, camera_id="cam_001")
    await served.one.registry.create("cam-001-x", named, {})
    await eventually(lambda: served.one.worker.camera("cam_001") is not None)
    assert await served.push("cam_001") == 202
    assert await served.push("cam-001-x") == 421


async def test_who_waits_to_be_told_sends_no_body_for_a_camera_that_is_not_here(
    served: Served,
) -> None:
    answer = await served.expecting("gate")
    assert answer.startswith(b"HTTP/1.1 421")
    assert b"application/problem+json" in answer
    assert b"Connection: close" in answer
    assert (await served.expecting("door")).startswith(b"HTTP/1.1 100")
    assert await served.push("door", Expect="100-continue") == 202
    refused = {"Expect": "100-continue", **JPEG}
    async with served.http.post("/cameras/door/push", data=b"no JPEG", headers=refused) as said:
        assert (said.status, said.content_type) == (422, "application/problem+json")
    assert (await served.expecting("door", "200-ok")).startswith(b"HTTP/1.1 417")


async def test_it_tells_how_every_camera_is(served: Served) -> None:
    dead = Source(rtsp=RtspSource(url="rtsp://127.0.0.1:1/"))
    suspended = msgspec.structs.replace(SPEC, source=dead, suspend=True)
    await served.one.registry.create("gate", suspended, {})
    await eventually(lambda: served.one.worker.camera("gate") is not None)
    await served.push("door")
    _, body, _ = await served.get("/live")
    live = {one.camera_id: one for one in msgspec.json.decode(body, type=list[Live])}
    assert (live["door"].connected, live["gate"].reason) == (True, "Suspended")


async def test_it_is_ready_once_it_has_begun_however_its_cameras_are() -> None:
    async with asyncio.TaskGroup() as tasks:
        one = Working(tasks)
        app = make_app(one.worker, one.exposition, ready=lambda: one.worker.ready)
        source = Source(push=PushSource())
        await one.registry.create("door", msgspec.structs.replace(SPEC, source=source), {})
        async with (
            serve(app, ANY) as (at, *_),
            aiohttp.ClientSession(f"http://127.0.0.1:{at.port}") as http,
        ):
            served = Served(one, at.port, http)
            assert (await served.get("/readyz"))[0] == 503
            assert (await served.get("/healthz"))[0] == 200
            one.worker.start()
            await eventually(lambda: one.worker.ready)
            assert (await served.get("/readyz"))[0] == 200
            assert not one.feed().state.connected
        await one.worker.stop()


async def test_its_metrics_name_routes_and_never_paths(served: Served) -> None:
    await served.get("/cameras/some-camera/frame/latest")
    status, body, _ = await served.get("/metrics")
    assert status == 200
    assert b'route="/cameras/{id}/frame/latest",status="421"' in body
    assert b"some-camera" not in body
    assert b"camera_ingest_worker_cameras 1.0" in body
