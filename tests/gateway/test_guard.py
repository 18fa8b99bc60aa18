"""A web page of somebody else changes nothing, and reaches nothing that listens on loopback."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from ingest_core.http import Listen, serve
from ingest_core.problems import problems
from ingest_gateway.guard import guard


@asynccontextmanager
async def guarded(*, local: bool) -> AsyncIterator[aiohttp.ClientSession]:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(text="done")

    app = web.Application(middlewares=[problems, guard(local=local)])
    app.router.add_route("*", "/", answer)
    async with (
        serve(app, Listen("127.0.0.1", 0)) as (address,),
        aiohttp.ClientSession(f"http://{address}") as session,
    ):
        yield session


async def asked(session: aiohttp.ClientSession, method: str, **headers: str) -> int:
    async with session.request(method, "/", headers=headers) as response:
        assert response.status == 200 or response.content_type == "application/problem+json"
        return response.status


@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE", "PUT"])
@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "http://cams.example:81", "https://cams.example.evil", "null", ""],
)
async def test_a_page_of_another_origin_changes_nothing(method: str, origin: str) -> None:
    async with guarded(local=False) as session:
        assert await asked(session, method, Host="cams.example", Origin=origin) == 403


@pytest.mark.parametrize("origin", ["http://cams.example", "https://CAMS.example"])
async def test_a_page_of_its_own_may(origin: str) -> None:
    async with guarded(local=False) as session:
        assert await asked(session, "POST", Host="Cams.example", Origin=origin) == 200


async def test_what_is_no_browser_may_change_and_any_page_may_ask() -> None:
    async with guarded(local=False) as session:
        assert await asked(session, "POST", Host="cams.example") == 200
        assert await asked(session, "GET", Host="cams.example", Origin="http://evil.example") == 200


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8000", "localhost.evil.example", "10.0.0.7", "[::1", "@"]
)
async def test_on_loopback_a_name_that_is_not_this_machines_is_refused(
    method: str, host: str
) -> None:
    async with guarded(local=True) as session:
        assert await asked(session, method, Host=host) == 403
    async with guarded(local=False) as session:
        assert await asked(session, method, Host=host) == 200


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8000", "cams.localhost", "127.0.0.1:8000", "[::1]:8000", ""]
)
async def test_on_loopback_every_name_of_this_machine_is_good(host: str) -> None:
    async with guarded(local=True) as session:
        assert await asked(session, "POST", Host=host) == 200
