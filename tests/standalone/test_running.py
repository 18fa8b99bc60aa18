"""How the parts are put together: what the front door is told of its address and of its worker."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from ingest_standalone.program import Running, running
from ingest_standalone.settings import NO_REDIS, StandaloneSettings


@pytest.fixture(params=["127.0.0.1:0", "0.0.0.0:0"])
async def program(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Running]:
    where = StandaloneSettings(cameras=str(tmp_path), listen=request.param, redis_url=NO_REDIS)
    async with running(where) as opened:
        yield opened


async def status(program: Running, path: str, **headers: str) -> int:
    base = f"http://127.0.0.1:{program.addresses[0].port}"
    async with aiohttp.ClientSession(base) as http, http.get(path, headers=headers) as response:
        return response.status


async def test_a_name_that_was_rebound_reaches_it_only_where_it_is_for_others(
    program: Running,
) -> None:
    local = program.addresses[0].host == "127.0.0.1"
    assert await status(program, "/healthz", Host="evil.example") == (403 if local else 200)
    assert await status(program, "/healthz") == 200


async def test_it_is_not_ready_before_its_worker_is(program: Running) -> None:
    program.worker.ready = False
    assert await status(program, "/readyz") == 503
    program.worker.ready = True
    assert await status(program, "/readyz") == 200
