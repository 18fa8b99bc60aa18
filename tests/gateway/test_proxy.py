"""Frames through the gateway: what is asked of workers, and what becomes of their failures."""

import asyncio
import itertools
import json
from typing import Any

import aiohttp
import msgspec
import pytest
from aiohttp import web
from yarl import URL

from ingest_core.live import Live
from ingest_core.model import ASSIGNED, Condition, Stream
from ingest_core.problems import URN
from ingest_gateway.lives import ASK_SECONDS
from ingest_gateway.proxy import MOVED_SECONDS
from tests.fakes.shown_cameras import camera
from tests.fakes.worker_stand_in import JPEG, die, frame, hang, unavailable
from tests.gateway.proxied import SECONDS, Proxied, proxied

LATEST = "/api/cameras/lobby/frame/latest"


def slug(body: bytes) -> str:
    told: dict[str, Any] = msgspec.json.decode(body)
    return str(told["type"]).removeprefix(URN)


async def test_a_frame_comes_from_the_worker_with_its_status_and_headers() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        headers = {"ETag": '"1"', "X-Frame-Sequence": "7", "Age": "0", "Cache-Control": "no-cache"}
        if request.headers.get("If-None-Match") == '"1"':
            return web.Response(status=304, headers=headers)
        return web.Response(body=JPEG, content_type="image/jpeg", headers=headers)

    async with proxied(answer) as gateway:
        gateway.cameras.show(camera("lobby", "w-0"))
        status, body, headers = await gateway.get(LATEST)
        assert (status, body) == (200, JPEG)
        assert headers["Content-Length"] == str(len(JPEG))
        assert (headers["ETag"], headers["X-Frame-Sequence"]) == ('"1"', "7")
        status, body, headers = await gateway.get(LATEST, headers={"If-None-Match": '"1"'})
        assert (status, body, headers["ETag"]) == (304, b"", '"1"')
        assert gateway.count("answered") == 2


@pytest.mark.parametrize(
    ("path", "target"),
    [
        (f"{LATEST}?width=320", "/cameras/lobby/frame/latest?width=320"),
        (f"{LATEST}?a=%2F%20+&b=%C3%A9&b", "/cameras/lobby/frame/latest?a=%2F%20+&b=%C3%A9&b"),
        ("/api/cameras/lobby/frames", "/cameras/lobby/frames"),
        ("/api/cameras/lobby/frames/12", "/cameras/lobby/frames/12"),
    ],
)
async def test_the_query_goes_to_the_worker_as_it_came(path: str, target: str) -> None:
    async with proxied() as gateway:
        gateway.cameras.show(camera("lobby", "w-0"))
        assert (await gateway.get(URL(gateway.url + path, encoded=True)))[0] == 200
        assert gateway.workers[0].targets == [target]


async def test_headers_of_one_connection_end_there() -> None:
    async def answer(_request: web.Request) -> web.StreamResponse:
        theirs = {"Connection": "x-theirs, close", "X-Theirs": "1", "Trailer": "x", "X-Kept": "1"}
        return web.Response(body=JPEG, headers=theirs)

    async with proxied(answer) as gateway:
        gateway.cameras.show(camera("lobby", "w-0"))
        ours = {
            "Connection": "X-Ours, keep-alive",
            "X-Ours": "1",
            "Proxy-Authorization": "Basic x",
            "TE": "trailers",
            "Upgrade": "h2c",
            "Authorization": "Bearer t",
            "X-Kept": "1",
        }
        status, _, headers = await gateway.get(LATEST, headers=ours)
        assert status == 200
        assert headers["X-Kept"] == "1"
        assert not {"X-Theirs", "Trailer"} & set(headers)
        (asked,) = gateway.workers[0].asked
        assert asked.headers["Host"] == "{}:{}".format(*gateway.workers[0].address)
        assert (asked.headers["X-Kept"], asked.headers["Authorization"]) == ("1", "Bearer t")
        left = {"Connection", "X-Ours", "Proxy-Authorization", "TE", "Upgrade"}
        assert not left & set(asked.headers)


async def test_head_is_get_without_the_body() -> None:
    async with proxied() as gateway:
        gateway.cameras.show(camera("lobby", "w-0"))
        async with gateway.session.head(LATEST) as response:
            assert response.status == 200
            assert response.headers["Content-Length"] == str(len(JPEG))
            assert await response.read() == b""
        assert (await gateway.get(LATEST))[1] == JPEG
        assert [asked.method for asked in gateway.workers[0].asked] == ["HEAD", "GET"]


async def test_what_is_compressed_stays_so() -> None:
    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.Response(body=b"not really", headers={"Content-Encoding": "gzip"})

    async with proxied(answer) as gateway:
        gateway.cameras.show(camera("lobby", "w-0"))
        _, body, headers = await gateway.get(LATEST)
        assert (body, headers["Content-Encoding"]) == (b"not really", "gzip")


async def test_a_redirect_is_not_followed() -> None:
    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=302, headers={"Location": "http://10.66.6.6/"})

    async with proxied(answer) as gateway:
        gateway.cameras.show(camera("lobby", "w-0"))
        status, _, headers = await gateway.get(LATEST, allow_redirects=False)
        assert (status, headers["Location"]) == (302, "http://10.66.6.6/")


async def test_an_answer_comes_as_it_is_made() -> None:
    more = asyncio.Event()

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"first")
        await more.wait()
        await response.write(b"second")
        return response

    async with proxied(answer) as gateway:
        gateway.cameras.show(camera("lobby", "w-0"))
        async with gateway.session.get(LATEST) as response:
            assert await response.content.readany() == b"first"
            more.set()
            assert await response.content.read() == b"second"


async def test_a_huge_answer_waits_in_the_worker_for_a_client_that_does_not_read() -> None:
    chunk, sent = b"x" * 65536, 0

    async def answer(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse(headers={"Content-Length": str(2048 * len(chunk))})
        await response.prepare(request)
        for _ in range(2048):
            await response.write(chunk)
            sent += len(chunk)
        return response

    async with proxied(answer) as gateway:
        gateway.cameras.show(camera("lobby", "w-0"))
        async with gateway.session.get(LATEST) as response:
            before = -1
            while before != sent:  # until nobody takes anything any more
                before = sent
                await asyncio.sleep(0.1)
            assert sent < 32 * 1024 * 1024  # the sockets of two hops on loopback hold some
            size = 0
            async for piece in response.content.iter_any():
                size += len(piece)
        assert size == sent == 2048 * len(chunk)


@pytest.mark.parametrize("length", [None, "1000"])
async def test_a_worker_that_dies_in_mid_answer_never_looks_whole(length: str | None) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": length} if length else {})
        await response.prepare(request)
        await response.write(JPEG)
        await asyncio.sleep(0.05)  # that is on its way
        return await die(request)

    async with proxied(answer) as gateway:
        gateway.cameras.show(camera("lobby", "w-0"))
        with pytest.raises(aiohttp.ClientPayloadError):
            await gateway.get(LATEST)
        assert gateway.count("cut") == 1


async def test_a_worker_that_stops_in_mid_answer_is_cut_off() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(JPEG)
        return await hang(request)

    async with proxied(answer) as gateway:
        gateway.cameras.show(camera("lobby", "w-0"))
        async with asyncio.timeout(10 * SECONDS):
            with pytest.raises(aiohttp.ClientPayloadError):
                await gateway.get(LATEST)
        assert gateway.count("cut") == 1


async def nowhere(gateway: Proxied) -> None:
    del gateway.addresses["w-0"]


async def deaf(gateway: Proxied) -> None:
    gateway.addresses["w-0"] = ("127.0.0.1", 1)


@pytest.mark.parametrize(
    ("break_it", "behaviour", "status", "problem"),
    [
        (nowhere, frame, 503, "worker-unreachable"),
        (deaf, frame, 503, "worker-unreachable"),
        (None, die, 503, "worker-unreachable"),
        (None, hang, 504, "worker-silent"),
    ],
)
async def test_a_worker_that_does_not_answer_is_a_problem_that_says_when_to_come_again(
    break_it: Any, behaviour: Any, status: int, problem: str
) -> None:
    async with proxied(behaviour) as gateway:
        gateway.cameras.show(camera("lobby", "w-0"))
        if break_it is not None:
            await break_it(gateway)
        async with asyncio.timeout(10 * SECONDS):
            told, body, headers = await gateway.get(LATEST)
        assert (told, slug(body), headers["Retry-After"]) == (status, problem, "2")
        assert gateway.count(problem.removeprefix("worker-")) == 1


async def test_a_worker_without_a_pod_is_told_of_with_what_to_do() -> None:
    """It has a Lease, so it is given cameras; but the gateway goes by pods."""
    async with proxied(frame) as gateway:
        gateway.cameras.show(camera("lobby", "w-0"))
        await nowhere(gateway)
        _, body, _ = await gateway.get(LATEST)
        detail = json.loads(body)["detail"]
        assert "no pod 'w-0' with an address and a port named 'http'" in detail
        assert "cannot be asked for frames" in detail


async def die_after_the_head(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
    await asyncio.sleep(0.05)  # that is on its way
    return await die(request)


@pytest.mark.parametrize("behaviour", [die, hang, unavailable, die_after_the_head])
async def test_during_a_handover_the_other_worker_answers_for_one_that_cannot(
    behaviour: Any,
) -> None:
    async with proxied(frame, behaviour) as gateway:
        gateway.cameras.show(camera("lobby", "w-0", "w-1", epoch=2))
        assert (await gateway.get(LATEST))[:2] == (200, JPEG)
        assert [len(worker.asked) > 0 for worker in gateway.workers] == [True, True]


async def test_what_a_single_worker_refuses_is_told_in_its_words() -> None:
    async with proxied(unavailable) as gateway:
        gateway.cameras.show(camera("lobby", "w-0"))
        status, body, headers = await gateway.get(LATEST)
        assert (status, headers["Retry-After"]) == (503, "2")
        assert b"no frame yet" in body


async def test_a_camera_without_a_worker_says_why() -> None:
    full = Condition(
        type=ASSIGNED, status="False", reason="CapacityExhausted", message="1 camera is too many"
    )
    async with proxied() as gateway:
        gateway.cameras.show(camera("lobby", conditions=(full,)))
        status, body, headers = await gateway.get(LATEST)
        assert (status, slug(body), headers["Retry-After"]) == (503, "frame-unavailable", "2")
        assert b"CapacityExhausted. 1 camera is too many" in body
        assert gateway.workers[0].asked == []


async def test_a_camera_that_moved_is_followed_by_the_watch() -> None:
    async with proxied(frame, frame) as gateway:
        gateway.cameras.show(camera("lobby", "w-0", epoch=1))
        gateway.workers[0].refuses = True
        asking = asyncio.create_task(gateway.get(LATEST))
        await gateway.workers[0].arrived.wait()
        gateway.cameras.show(camera("lobby", "w-1", epoch=2))
        async with asyncio.timeout(0.8 * MOVED_SECONDS):
            assert (await asking)[:2] == (200, JPEG)
        assert gateway.count("moved") == 1
        assert gateway.looked_up == []


async def test_a_camera_that_moved_behind_the_watch_is_looked_up() -> None:
    async with proxied(frame, frame) as gateway:
        gateway.cameras.show(camera("lobby", "w-0", epoch=1))
        gateway.workers[0].refuses = True
        gateway.on_look_up = lambda: gateway.cameras.show(camera("lobby", "w-1", epoch=2))
        answers = await asyncio.gather(*(gateway.get(LATEST) for _ in range(5)))
        assert {answer[:2] for answer in answers} == {(200, JPEG)}
        assert gateway.looked_up == ["lobby"]


async def test_a_worker_that_has_not_begun_is_asked_twice_and_no_more() -> None:
    async with proxied() as gateway:
        gateway.cameras.show(camera("lobby", "w-0"))
        gateway.workers[0].refuses = True
        answers = await asyncio.gather(*(gateway.get(LATEST) for _ in range(5)))
        for status, body, headers in answers:
            assert (status, slug(body), headers["Retry-After"]) == (503, "frame-unavailable", "1")
        assert len(gateway.workers[0].asked) == 2 * len(answers)
        assert gateway.looked_up == ["lobby"]


async def test_a_camera_that_goes_away_meanwhile_is_unknown() -> None:
    async with proxied() as gateway:
        gateway.cameras.show(camera("lobby", "w-0"))
        gateway.workers[0].refuses = True
        asking = asyncio.create_task(gateway.get(LATEST))
        await gateway.workers[0].arrived.wait()
        await gateway.cameras.delete("lobby")
        status, body, _ = await asking
        assert (status, slug(body)) == (404, "unknown-camera")


async def test_a_worker_that_hangs_gathers_no_crowd_and_disturbs_no_other() -> None:
    async with proxied(hang, frame, seconds=3) as gateway:
        gateway.cameras.show(camera("lobby", "w-0"))
        gateway.cameras.show(camera("door", "w-1"))
        crowd = [asyncio.create_task(gateway.get(LATEST)) for _ in range(90)]
        for refused in itertools.islice(asyncio.as_completed(crowd), 90 - 64):
            status, body, _ = await refused
            assert (status, slug(body)) == (503, "worker-busy")
        assert (await gateway.get("/api/cameras/door/frame/latest"))[0] == 200
        await asyncio.gather(*crowd)
        assert (gateway.count("silent"), gateway.count("busy")) == (64, 26)


async def test_a_worker_that_failed_is_tried_by_one_until_it_answers_again() -> None:
    async with proxied(hang) as gateway:
        gateway.cameras.show(camera("lobby", "w-0"))
        await asyncio.gather(*(gateway.get(LATEST) for _ in range(3)))
        answers = await asyncio.gather(*(gateway.get(LATEST) for _ in range(10)))
        assert sorted(status for status, _, _ in answers) == [503] * 9 + [504]
        gateway.workers[0].behaviour = frame
        assert (await gateway.get(LATEST))[0] == 200
        answers = await asyncio.gather(*(gateway.get(LATEST) for _ in range(10)))
        assert {status for status, _, _ in answers} == {200}


def live(camera_id: str, worker: str) -> Live:
    return Live(camera_id=camera_id, worker=worker, epoch=1, connected=True, reason="Connected")


def lives(*told: Live) -> Any:
    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.Response(body=msgspec.json.encode(told), content_type="application/json")

    return answer


async def test_a_list_shows_what_each_worker_sees_and_asks_each_once_a_second() -> None:
    one, two = lives(live("a", "w-0"), live("b", "w-0")), lives(live("c", "w-1"))
    async with proxied(one, two) as gateway:
        for name, worker in (("a", "w-0"), ("b", "w-0"), ("c", "w-1")):
            gateway.cameras.show(camera(name, worker))
        gateway.cameras.show(camera("d"))
        answers = await asyncio.gather(*(gateway.get("/api/cameras") for _ in range(5)))
        items = msgspec.json.decode(answers[0][1])["items"]
        told = [one["status"]["live"] and one["status"]["live"]["worker"] for one in items]
        assert told == ["w-0", "w-0", "w-1", None]
        assert [worker.targets for worker in gateway.workers] == [["/live"], ["/live"]]


async def test_during_a_handover_the_one_that_is_connected_tells() -> None:
    async with proxied(lives(live("a", "w-0")), lives(live("a", "w-1"))) as gateway:
        stream = Stream(worker="w-0", epoch=2, connected_time="2026-11-22T09:00:00Z")
        for shown, worker in ((None, "w-1"), (stream, "w-0")):
            gateway.cameras.show(camera("a", "w-0", "w-1", epoch=2, stream=shown))
            _, body, _ = await gateway.get("/api/cameras/a")
            assert msgspec.json.decode(body)["status"]["live"]["worker"] == worker


async def garbage(_request: web.Request) -> web.StreamResponse:
    return web.Response(body=b"[{}]")


async def endless(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(b" " * 65536)


@pytest.mark.parametrize("behaviour", [die, garbage, unavailable, endless])
async def test_a_worker_that_cannot_be_asked_is_absent_from_a_list(behaviour: Any) -> None:
    async with proxied(behaviour, lives(live("b", "w-1"))) as gateway:
        gateway.cameras.show(camera("a", "w-0"))
        gateway.cameras.show(camera("b", "w-1"))
        async with asyncio.timeout(ASK_SECONDS):
            status, body, _ = await gateway.get("/api/cameras")
        items = msgspec.json.decode(body)["items"]
        assert status == 200
        assert [one["status"]["live"] is None for one in items] == [True, False]
