"""The ground of the servers, over a real socket where bytes and time matter."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import msgspec
import pytest
from aiohttp import web
from prometheus_client import CollectorRegistry

from ingest_core import metrics
from ingest_core.errors import CannotListen
from ingest_core.http import (
    Listen,
    is_local,
    json_response,
    observed,
    parse_listen,
    read_body,
    read_json,
    serve,
)
from ingest_core.problems import Details, problems

LIMIT = 1000
ECHO = "/echo/{id}"


class Body(msgspec.Struct, forbid_unknown_fields=True):
    id: str
    weight: int = 1


def echo_app(histogram_registry: CollectorRegistry | None = None) -> web.Application:
    async def echo(request: web.Request) -> web.Response:
        return json_response(await read_json(request, Body, LIMIT), status=201)

    seconds = metrics.HTTP_SECONDS.histogram(histogram_registry or CollectorRegistry())
    app = web.Application(middlewares=[observed(seconds), problems])
    app.router.add_post(ECHO, echo)
    return app


@asynccontextmanager
async def client(app: web.Application) -> AsyncIterator[aiohttp.ClientSession]:
    async with (
        serve(app, Listen("127.0.0.1", 0)) as (address,),
        aiohttp.ClientSession(f"http://{address}") as session,
    ):
        yield session


@pytest.mark.parametrize(
    ("text", "listen"),
    [
        ("127.0.0.1:8000", Listen("127.0.0.1", 8000)),
        ("localhost:0", Listen("localhost", 0)),
        ("[::1]:8000", Listen("::1", 8000)),
        (":65535", Listen(None, 65535)),
    ],
)
def test_an_address_is_read_and_written_alike(text: str, listen: Listen) -> None:
    assert parse_listen(text) == listen
    assert str(listen) == text


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "no port"),
        ("8000", "no port"),
        ("localhost", "no port"),
        ("::1:8000", "brackets"),
        ("[localhost]:80", "brackets are for"),
        ("h:", "port must be"),
        ("h:x", "port must be"),
        ("h:65536", "port must be"),
        ("h:-1", "port must be"),
        ("h:²", "port must be"),
        ("http://h:80", "IPv6"),
        ("a/b:80", "the host must be"),
        ("a b:80", "the host must be"),
    ],
)
def test_what_is_no_address_says_which_part(text: str, part: str) -> None:
    with pytest.raises(ValueError, match=part):
        parse_listen(text)


async def test_an_address_that_cannot_be_had_is_one_sentence() -> None:
    async with serve(web.Application(), Listen("127.0.0.1", 0)) as (address,):
        taken = f"^cannot listen on {address}: address already in use$"
        with pytest.raises(CannotListen, match=taken):
            async with serve(web.Application(), address):
                pass
    with pytest.raises(CannotListen, match=r"^cannot listen on 192\.0\.2\.1:0: .+"):
        async with serve(web.Application(), Listen("192.0.2.1", 0)):
            pass


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST.", "cams.localhost", "127.0.0.1", "127.8.0.1", "::1"]
)
def test_a_loopback_name_or_address_is_this_machines_own(host: str) -> None:
    assert is_local(host)
    assert Listen(host, 0).local


@pytest.mark.parametrize("host", ["", "0.0.0.0", "::", "10.0.0.7", "localhost.evil.example", "x"])
def test_any_other_is_not(host: str) -> None:
    assert not is_local(host)
    assert not Listen(host or None, 0).local


async def test_nobody_answers_after_the_end() -> None:
    async with serve(web.Application(), Listen("127.0.0.1", 0)) as (address,):
        pass
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(address.host, address.port)


async def test_a_body_becomes_a_type() -> None:
    async with (
        client(echo_app()) as session,
        session.post("/echo/1", json={"id": "a", "weight": 7}) as response,
    ):
        assert response.status == 201
        assert await response.json() == {"id": "a", "weight": 7}


@pytest.mark.parametrize(
    ("body", "status", "detail"),
    [
        (b"", 400, "not JSON"),
        (b"{", 400, "not JSON"),
        (b'{"id":"a"}x', 400, "byte 11"),
        (b'{"id":"\xff"}', 400, "UTF-8"),
        (b'{"id":"\x00"}', 400, "byte 7"),
        (b'{"id": NaN}', 400, "byte 7"),
        (b"1e999", 400, "range"),
        (b'{"id":"\\ud800"}', 400, "not JSON"),
        (b"[]", 422, "mapping"),
        (b"{}", 422, "id"),
        (b'{"id":1}', 422, "id"),
        (b'{"id":"a","colour":1}', 422, "colour"),
        (b'{"id":"' + b"a" * LIMIT + b'"}', 413, str(LIMIT)),
    ],
)
async def test_a_wrong_body_is_told_where_it_is_wrong(
    body: bytes, status: int, detail: str
) -> None:
    headers = {"Content-Type": "application/json; charset=utf-8"}
    async with (
        client(echo_app()) as session,
        session.post("/echo/1", data=body, headers=headers) as response,
    ):
        told = msgspec.json.decode(await response.read(), type=Details)
    assert response.status == told.status == status
    assert detail in told.detail


async def test_nesting_without_an_end_is_refused() -> None:
    async def deep(request: web.Request) -> web.Response:
        return json_response(await read_json(request, Body, 1 << 20))

    app = web.Application(middlewares=[problems])
    app.router.add_post("/", deep)
    headers = {"Content-Type": "application/json"}
    async with (
        client(app) as session,
        session.post("/", data=b"[" * 500_000, headers=headers) as response,
    ):
        assert response.status == 400
        assert "nested" in await response.text()


@pytest.mark.parametrize("content_type", [None, "text/plain", "application/x-www-form-urlencoded"])
async def test_a_body_of_another_type_is_a_415_that_says_what_to_send(
    content_type: str | None,
) -> None:
    headers = {} if content_type is None else {"Content-Type": content_type}
    async with (
        client(echo_app()) as session,
        session.post(
            "/echo/1",
            data=b'{"id":"a"}',
            headers=headers,
            skip_auto_headers=["Content-Type"],
        ) as response,
    ):
        assert response.status == 415
        assert response.headers["Accept"] == "application/json"
        assert "-H 'Content-Type: application/json'" in await response.text()


async def test_a_compressed_body_is_refused_rather_than_blown_up() -> None:
    async with (
        client(echo_app()) as session,
        session.post("/echo/1", json={"id": "a" * 5000}, compress="gzip") as response,
    ):
        assert response.status == 415
        assert "compressed" in await response.text()


async def test_a_body_is_taken_as_it_comes() -> None:
    async def length(request: web.Request) -> web.Response:
        return json_response(len(await read_body(request, LIMIT)))

    app = web.Application(middlewares=[problems])
    app.router.add_post("/", length)
    async with (
        client(app) as session,
        session.post("/", data=b"a" * 5000, compress="gzip") as response,
    ):
        assert response.status == 200
        assert await response.json() < 100


async def test_a_body_without_a_length_is_read_no_further_than_its_bound() -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b" " * 100
            await asyncio.sleep(0)

    async with client(echo_app()) as session:
        headers = {"Content-Type": "application/json"}
        async with session.post("/echo/1", data=endless(), headers=headers) as response:
            assert response.status == 413


async def test_a_body_that_never_comes_is_given_up() -> None:
    async def read(request: web.Request) -> web.Response:
        return web.Response(body=await read_body(request, LIMIT, seconds=0.01))

    app = web.Application(middlewares=[problems])
    app.router.add_post("/", read)
    async with serve(app, Listen("127.0.0.1", 0)) as (address,):
        reader, writer = await asyncio.open_connection(address.host, address.port)
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 408 ")
        writer.close()
        await writer.wait_closed()


async def test_answers_are_timed_by_template_and_never_by_path() -> None:
    registry = CollectorRegistry()
    async with client(echo_app(registry)) as session:
        await session.post("/echo/1", json={"id": "a"})
        await session.post("/echo/2", json={"id": "a"})
        await session.post("/echo/3", json={})
        await session.get("/nowhere/4")
        await session.request("PROPFIND", "/echo/5")

    def count(method: str, route: str, status: int) -> float | None:
        labels = {"method": method, "route": route, "status": str(status)}
        return registry.get_sample_value(f"{metrics.HTTP_SECONDS.name}_count", labels)

    assert count("POST", ECHO, 201) == 2
    assert count("POST", ECHO, 422) == 1
    assert count("GET", "unmatched", 404) == 1
    assert count("other", "unmatched", 405) == 1


async def test_the_clock_of_a_timed_answer_is_the_one_that_was_given() -> None:
    registry = CollectorRegistry()
    ticks = iter([10.0, 12.5])
    seconds = metrics.HTTP_SECONDS.histogram(registry)
    app = web.Application(middlewares=[observed(seconds, clock=lambda: next(ticks)), problems])
    async with client(app) as session:
        await session.get("/")
    labels = {"method": "GET", "route": "unmatched", "status": "404"}
    name = f"{metrics.HTTP_SECONDS.name}_sum"
    assert registry.get_sample_value(name, labels) == 2.5


async def test_an_answer_that_nobody_waits_for_is_counted_as_such() -> None:
    async def gone(_request: web.Request) -> web.StreamResponse:
        raise ConnectionResetError

    registry = CollectorRegistry()
    seconds = metrics.HTTP_SECONDS.histogram(registry)
    app = web.Application(middlewares=[observed(seconds), problems])
    app.router.add_post("/", gone)
    async with client(app) as session:
        with pytest.raises(aiohttp.ClientError):
            await session.post("/")
    labels = {"method": "POST", "route": "/", "status": "499"}
    assert registry.get_sample_value(f"{metrics.HTTP_SECONDS.name}_count", labels) == 1
