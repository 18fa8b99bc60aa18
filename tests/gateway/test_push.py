"""Pushed frames through the gateway: a body goes to one worker, once, and only when it wants it."""

import asyncio
import io
import itertools
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from ingest_core.errors import PushRefused
from ingest_core.problems import problem_of
from ingest_gateway.places import WAITING
from tests.fakes.shown_cameras import camera
from tests.fakes.worker_stand_in import JPEG, WorkerStandIn, die, frame, hang, worker_stand_in
from tests.gateway.proxied import SECONDS, Proxied, proxied

PUSH = "/api/ingest/push/door"
JPEG_TYPE = {"Content-Type": "image/jpeg"}


def takes(into: list[bytes]) -> Any:
    async def answer(request: web.Request) -> web.StreamResponse:
        into.append(await request.read())
        return web.json_response({"sequence": len(into)}, status=202)

    return answer


async def push(gateway: Proxied, body: Any = JPEG, **headers: str) -> tuple[int, bytes]:
    async with gateway.session.post(PUSH, data=body, headers=JPEG_TYPE | headers) as response:
        return response.status, await response.read()


async def in_pieces(*pieces: bytes, pause: float = 0.0) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece
        await asyncio.sleep(pause)


async def half_sent(gateway: Proxied) -> asyncio.StreamWriter:
    """A device that said 1000 bytes and sent 10."""
    host, port = gateway.url.removeprefix("http://").split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    head = f"POST {PUSH} HTTP/1.1\r\nHost: {host}\r\nContent-Type: image/jpeg\r\n"
    writer.write(f"{head}Content-Length: 1000\r\n\r\n0123456789".encode())
    return writer


async def test_a_pushed_frame_arrives_with_its_headers() -> None:
    bodies: list[bytes] = []
    async with proxied(takes(bodies)) as gateway:
        gateway.cameras.show(camera("door", "w-0"))
        claimed = {"X-Timestamp": "1763801000.123", "Authorization": "Bearer t"}
        assert await push(gateway, **claimed) == (202, b'{"sequence": 1}')
        assert bodies == [JPEG]
        (asked,) = gateway.workers[0].asked
        assert asked.target == "/cameras/door/push"
        assert asked.headers["Content-Length"] == str(len(JPEG))
        assert asked.headers["Content-Type"] == "image/jpeg"
        assert asked.headers["X-Timestamp"] == "1763801000.123"
        assert asked.headers["Authorization"] == "Bearer t"


async def test_a_body_of_unknown_length_arrives_whole() -> None:
    bodies: list[bytes] = []
    async with proxied(takes(bodies)) as gateway:
        gateway.cameras.show(camera("door", "w-0"))
        assert (await push(gateway, in_pieces(b"a" * 70_000, b"b")))[0] == 202
        assert bodies == [b"a" * 70_000 + b"b"]
        assert "Content-Length" not in gateway.workers[0].asked[0].headers


async def test_a_form_arrives_as_it_was_sent() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        form = await request.post()
        return web.json_response(sorted(form), status=202)

    async with proxied(answer) as gateway:
        gateway.cameras.show(camera("door", "w-0"))
        form = aiohttp.FormData({"timestamp": "1763801000"})
        form.add_field("frame_file", JPEG, filename="frame.jpg")
        async with gateway.session.post(PUSH, data=form) as response:
            assert (response.status, await response.json()) == (202, ["frame_file", "timestamp"])


async def test_no_body_is_the_workers_to_refuse() -> None:
    bodies: list[bytes] = []
    async with proxied(takes(bodies)) as gateway:
        gateway.cameras.show(camera("door", "w-0"))
        assert (await push(gateway, None))[0] == 202
        assert bodies == [b""]


async def test_a_body_that_one_worker_does_not_want_goes_to_the_other_whole() -> None:
    bodies: list[bytes] = []
    async with proxied(takes([]), takes(bodies)) as gateway:
        gateway.cameras.show(camera("door", "w-0", "w-1", epoch=2))
        gateway.workers[0].refuses = True
        frame = b"x" * 5_000_000
        assert (await push(gateway, io.BytesIO(frame)))[0] == 202
        assert bodies == [frame]


async def test_a_camera_that_moved_gets_its_body_at_its_new_worker() -> None:
    bodies: list[bytes] = []
    async with proxied(takes([]), takes(bodies)) as gateway:
        gateway.cameras.show(camera("door", "w-0", epoch=1))
        gateway.workers[0].refuses = True
        gateway.on_look_up = lambda: gateway.cameras.show(camera("door", "w-1", epoch=2))
        assert (await push(gateway))[0] == 202
        assert bodies == [JPEG]


async def test_a_body_that_a_worker_died_over_is_sent_again_by_its_device_only() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        await request.content.readany()
        return await die(request)

    bodies: list[bytes] = []
    async with proxied(answer, takes(bodies)) as gateway:
        gateway.cameras.show(camera("door", "w-0", "w-1", epoch=2))
        async with gateway.session.post(PUSH, data=JPEG, headers=JPEG_TYPE) as response:
            assert (response.status, response.headers["Retry-After"]) == (503, "2")
        assert bodies == []


async def test_a_camera_that_moves_while_its_body_is_read_is_a_503() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        await request.read()
        return web.Response(status=421)

    async with proxied(answer) as gateway:
        gateway.cameras.show(camera("door", "w-0"))
        async with gateway.session.post(PUSH, data=JPEG, headers=JPEG_TYPE) as response:
            assert (response.status, response.headers["Retry-After"]) == (503, "1")


async def test_a_refusal_is_told_while_the_body_is_still_coming() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        await request.content.readany()
        refused = problem_of(PushRefused(429, "more than 30 frames a second", 1))
        assert refused is not None
        return refused

    async with proxied(answer) as gateway:
        gateway.cameras.show(camera("door", "w-0"))
        pieces = in_pieces(*[b"x" * 65536] * 20, pause=0.02)
        async with gateway.session.post(PUSH, data=pieces, headers=JPEG_TYPE) as response:
            assert (response.status, response.headers["Retry-After"]) == (429, "1")
        assert (await push(gateway))[0] == 429


async def test_a_worker_that_hangs_over_a_body_is_a_504() -> None:
    async with proxied(hang) as gateway:
        gateway.cameras.show(camera("door", "w-0"))
        async with asyncio.timeout(10 * SECONDS):
            assert (await push(gateway))[0] == 504
            assert (await push(gateway, io.BytesIO(b"x" * 8_000_000)))[0] == 504


async def test_devices_that_send_slowly_keep_nobody_from_looking() -> None:
    begun, full = itertools.count(1), asyncio.Event()

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.method == "POST":
            if next(begun) == WAITING:
                full.set()
            await request.read()
        return await frame(request)

    async with proxied(answer) as gateway:
        gateway.cameras.show(camera("door", "w-0"))
        devices = [await half_sent(gateway) for _ in range(WAITING)]
        await full.wait()
        assert (await push(gateway))[0] == 503
        status, body, _ = await gateway.get("/api/cameras/door/frame/latest")
        assert (status, body) == (200, JPEG)
        for device in devices:
            device.close()


async def test_a_slow_device_is_not_taken_for_a_worker_that_hangs() -> None:
    bodies: list[bytes] = []
    async with proxied(takes(bodies)) as gateway:
        gateway.cameras.show(camera("door", "w-0"))
        pieces = in_pieces(b"a", b"b", b"c", pause=1.5 * SECONDS)
        assert (await push(gateway, pieces))[0] == 202
        assert bodies == [b"abc"]


async def test_a_device_that_goes_away_leaves_nothing_behind() -> None:
    broken = asyncio.Event()

    async def answer(request: web.Request) -> web.StreamResponse:
        try:
            await request.read()
        except Exception:
            broken.set()
            raise
        raise AssertionError("a part of a body was taken for the whole")

    async with proxied(answer) as gateway:
        gateway.cameras.show(camera("door", "w-0"))
        for _ in range(70):  # more than may wait
            broken.clear()
            writer = await half_sent(gateway)
            await asyncio.sleep(0.01)
            writer.close()
            async with asyncio.timeout(5):
                await broken.wait()
        bodies: list[bytes] = []
        gateway.workers[0].behaviour = takes(bodies)
        assert (await push(gateway))[0] == 202
        assert gateway.count("unreachable") == gateway.count("silent") == 0


async def test_a_push_survives_a_worker_that_started_again_at_the_same_address() -> None:
    async def served(worker: WorkerStandIn) -> None:
        gateway.addresses["w-0"] = worker.address
        assert (await push(gateway))[0] == 202

    async with proxied() as gateway:
        gateway.cameras.show(camera("door", "w-0"))
        async with worker_stand_in(takes([])) as first:
            await served(first)
        async with worker_stand_in(takes([]), first.address[1]) as second:
            await served(second)


async def test_a_connection_that_ends_as_it_is_used_costs_nothing() -> None:
    """A worker that lets go of an idle connection just when the next frame is sent over it."""
    connections = 0

    async def serve_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        await reader.readexactly(len(JPEG))
        writer.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\n{}")
        await reader.readuntil(b"\r\n\r\n")  # the next one's head
        writer.close()

    async with proxied() as gateway:
        server = await asyncio.start_server(serve_once, "127.0.0.1", 0)
        async with server:
            gateway.addresses["w-0"] = server.sockets[0].getsockname()[:2]
            gateway.cameras.show(camera("door", "w-0"))
            assert [(await push(gateway))[0] for _ in range(2)] == [202, 202]
        assert connections == 2


@pytest.mark.parametrize("claim", ["X-Timestamp", "Authorization"])
async def test_what_a_connection_header_names_goes_no_further(claim: str) -> None:
    async with proxied(takes([])) as gateway:
        gateway.cameras.show(camera("door", "w-0"))
        assert (await push(gateway, **{claim: "1", "Connection": claim}))[0] == 202
        assert claim not in gateway.workers[0].asked[0].headers
