"""The proxy does to a connection what a bad network does."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import aiohttp
import pytest

from tests.cluster.api_server import ADMIN_TOKEN, ApiServer
from tests.cluster.programs import HOST
from tests.cluster.proxy import Proxy, proxy

DELAY = 0.1


@pytest.fixture
async def wire() -> AsyncIterator[Proxy]:
    """A proxy before a server that says everything back."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                writer.write(data)
        writer.close()

    server = await asyncio.start_server(echo, HOST, 0)
    port = server.sockets[0].getsockname()[1]
    async with server, proxy(f"tcp://{HOST}:{port}") as made:
        yield made


class Line:
    """A client's connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def ask(self, data: bytes = b"x") -> bytes:
        self.writer.write(data)
        return await self.reader.readexactly(len(data))


@asynccontextmanager
async def line(wire: Proxy) -> AsyncIterator[Line]:
    host, _, port = wire.url.removeprefix("tcp://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        yield Line(reader, writer)
    finally:
        writer.transport.abort()


async def test_bytes_pass_both_ways(wire: Proxy) -> None:
    async with line(wire) as client:
        data = bytes(range(256)) * 4096
        assert await client.ask(data) == data
        assert wire.connections == 1


async def test_a_cut_resets_what_is_open_and_serves_what_comes(wire: Proxy) -> None:
    async with line(wire) as before, line(wire) as after:
        await before.ask()
        await wire.cut()
        assert wire.connections == 0
        with pytest.raises(ConnectionResetError):
            await before.ask()
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await after.ask()
    async with line(wire) as client:
        assert await client.ask() == b"x"


async def test_while_it_refuses_nobody_listens(wire: Proxy) -> None:
    await wire.refuse()
    with pytest.raises(ConnectionRefusedError):
        async with line(wire):
            pass
    await wire.heal()
    async with line(wire) as client:
        assert await client.ask() == b"x"


async def test_a_black_hole_takes_connections_and_answers_none_until_it_is_healed(
    wire: Proxy,
) -> None:
    async with line(wire) as before:
        await before.ask()
        await wire.black_hole()
        async with line(wire) as client:
            answers = [asyncio.create_task(each.ask()) for each in (before, client)]
            done, _ = await asyncio.wait(answers, timeout=DELAY)
            assert not done
            await wire.heal()
            assert await asyncio.gather(*answers) == [b"x", b"x"]


async def test_a_black_hole_can_be_cut(wire: Proxy) -> None:
    async with line(wire) as client:
        await client.ask()
        await wire.black_hole()
        asking = asyncio.create_task(client.ask())
        await wire.cut()
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await asking


async def test_a_delay_is_paid_once_each_way_however_many_bytes(wire: Proxy) -> None:
    now = asyncio.get_running_loop().time
    async with line(wire) as client:
        await client.ask()
        await wire.delay(DELAY)
        began = now()
        await client.ask(b"y" * 2**20)
        assert 2 * DELAY <= now() - began < 4 * DELAY


async def test_the_end_of_the_server_reaches_the_client() -> None:
    async def bye(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"bye")
        writer.close()

    server = await asyncio.start_server(bye, HOST, 0)
    target = f"tcp://{HOST}:{server.sockets[0].getsockname()[1]}"
    async with server, proxy(target) as wire, line(wire) as client:
        assert await client.reader.read() == b"bye"


async def test_tls_to_the_api_server_passes_through(api_server: ApiServer) -> None:
    trust = ssl.create_default_context(cafile=str(api_server.ca_file))
    headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
    async with AsyncExitStack() as stack:
        wire = await stack.enter_async_context(proxy(api_server.url))
        http = await stack.enter_async_context(aiohttp.ClientSession(wire.url, headers=headers))
        async with http.get("/readyz", ssl=trust) as answer:
            assert await answer.text() == "ok"
        await wire.cut()
        async with http.get("/readyz", ssl=trust) as answer:
            assert answer.status == 200
