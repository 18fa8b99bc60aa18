"""Both ends of what passes through may stand still, and are not waited for without end."""

import asyncio
from typing import cast

import aiohttp
from aiohttp import web
from multidict import CIMultiDict

from ingest_core.http import Listen, serve
from ingest_core.problems import Handler, problems
from ingest_gateway.patience import Patience
from ingest_gateway.relay import relay
from ingest_gateway.upload import Upload
from ingest_gateway.worker_client import Answer


class Endless:
    """An answer that goes on and on."""

    status = 200
    headers: CIMultiDict[str] = CIMultiDict()

    async def chunk(self) -> bytes:
        await asyncio.sleep(0)
        return b"x" * 65536


def app(handler: Handler) -> web.Application:
    made = web.Application(middlewares=[problems])
    made.router.add_route("*", "/", handler)
    return made


async def test_a_client_that_takes_nothing_any_more_is_cut_off() -> None:
    ended: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()

    async def handler(request: web.Request) -> web.StreamResponse:
        try:
            return await relay(request, cast("Answer", Endless()), 0.2)
        except ConnectionResetError as error:
            ended.set_result(error)
            raise

    async with (
        serve(app(handler), Listen("127.0.0.1", 0)) as (address,),
        aiohttp.ClientSession() as session,
        session.get(f"http://{address}/"),
        asyncio.timeout(10),
    ):
        assert "takes nothing" in str(await ended)


async def test_a_sender_that_stands_still_is_a_408() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        upload = Upload(request, 0.2)
        read = [chunk async for chunk in upload.chunks(Patience(1))]
        return web.Response(body=b"".join(read))

    async with serve(app(handler), Listen("127.0.0.1", 0)) as (address,):
        reader, writer = await asyncio.open_connection(address.host, address.port)
        writer.write(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n0123")
        async with asyncio.timeout(10):
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 408 ")
            assert b"the body took more than 0.2 s" in await reader.read()
        writer.close()
