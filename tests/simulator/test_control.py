import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import TestServer

from ingest_simulator import control
from ingest_simulator.faults import Fault, FaultKind
from ingest_simulator.simulator import Simulator
from tests.simulator.raw_client import RawClient, closed

CAMERA = {"name": "cam", "width": 160, "height": 96, "fps": 20, "gop": 10, "clip_seconds": 1}


@pytest.fixture
async def http(simulator: Simulator) -> AsyncIterator[ClientSession]:
    async with (
        TestServer(control.application(simulator)) as server,
        ClientSession(server.make_url("/")) as session,
    ):
        yield session


async def test_a_camera_comes_streams_and_goes(http: ClientSession, simulator: Simulator) -> None:
    async with http.post("/cameras", json=CAMERA) as response:
        assert response.status == 201
        url = (await response.json())["url"]
    async with await RawClient.open(url) as client:
        await client.play()
        await client.timestamps(3)
        async with http.get("/cameras") as response:
            (camera,) = await response.json()
        assert (camera["name"], camera["playing"], camera["fault"]) == ("cam", 1, None)
        async with http.get("/cameras/cam/frames") as response:
            frames = await response.json()
        assert frames["sent"] == len(frames["frames"]) >= 3
        assert [frame["index"] for frame in frames["frames"][:3]] == [0, 1, 2]
        async with http.get("/cameras/cam/sessions") as response:
            (session,) = await response.json()
        assert (session["transport"], session["closed"]) == ("tcp", None)
        async with http.delete("/cameras/cam") as response:
            assert response.status == 204
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await client.timestamps(100)
    assert simulator.names() == ()


async def test_a_fault_is_put_and_healed(http: ClientSession, simulator: Simulator) -> None:
    await (await http.post("/cameras", json=CAMERA)).read()
    fault = {"kind": "stall", "after": 2}
    async with http.put("/cameras/cam/fault", json=fault) as response:
        assert response.status == 204
    assert simulator.current_fault("cam") == Fault(FaultKind.STALL, after=2.0)
    async with http.get("/cameras") as response:
        (camera,) = await response.json()
    assert camera["fault"]["kind"] == "stall"
    async with http.delete("/cameras/cam/fault") as response:
        assert response.status == 204
    assert simulator.current_fault("cam") is None


async def test_sessions_are_cut_off_and_the_port_is_shut(
    http: ClientSession, simulator: Simulator
) -> None:
    await (await http.post("/cameras", json=CAMERA)).read()
    async with await RawClient.open(simulator.url("cam")) as client:
        await client.play()
        async with http.delete("/cameras/cam/sessions") as response:
            assert response.status == 204
        await closed(simulator, "cam")
    async with http.delete("/port") as response:
        assert response.status == 204
    with pytest.raises(ConnectionRefusedError):
        await RawClient.open(simulator.url("cam"))
    async with http.put("/port") as response:
        assert response.status == 204
    async with await RawClient.open(simulator.url("cam")) as client:
        await client.play()


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/cameras/none/frames", "", 404),
        ("GET", "/cameras/none/sessions", "", 404),
        ("DELETE", "/cameras/none", "", 404),
        ("DELETE", "/cameras/none/fault", "", 404),
        ("PUT", "/cameras/none/fault", '{"kind":"stall"}', 404),
        ("GET", "/nowhere", "", 404),
        ("PATCH", "/cameras", "", 405),
        ("POST", "/cameras", "{", 422),
        ("POST", "/cameras", '{"name":"a/b"}', 422),
        ("POST", "/cameras", '{"name":"cam"}', 409),
        ("PUT", "/cameras/cam/fault", '{"kind":"explode"}', 422),
        ("PUT", "/cameras/cam/fault", '{"kind":"resize","width":3}', 422),
    ],
)
async def test_what_cannot_be_done_is_a_problem(
    http: ClientSession, method: str, path: str, body: str, status: int
) -> None:
    await (await http.post("/cameras", json=CAMERA)).read()
    async with http.request(method, path, data=body) as response:
        assert response.status == status
        assert response.content_type == "application/problem+json"
        assert (await response.json(content_type=None))["status"] == status


async def test_no_answer_holds_a_password(http: ClientSession) -> None:
    secret = {**CAMERA, "auth": "basic", "username": "u", "password": "s3cret"}
    texts = []
    for name in ("cam", "cam", "a/b"):
        async with http.post("/cameras", json={**secret, "name": name}) as response:
            texts.append(await response.text())
    async with http.get("/cameras") as response:
        texts.append(await response.text())
    assert "s3cret" not in "".join(texts)
