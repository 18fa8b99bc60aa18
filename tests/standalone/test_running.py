"""How the parts are put together: what the front door is told of its address and of its worker."""

import asyncio
import re
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from structlog.testing import capture_logs

from ingest_core import metrics
from ingest_core.http import Listen, serve
from ingest_core.signals import stop_of_signals
from ingest_standalone.program import Running, running
from ingest_standalone.settings import StandaloneSettings
from ingest_worker.redis_url import NO_REDIS


@pytest.fixture(params=["127.0.0.1:0", "0.0.0.0:0"])
async def program(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Running]:
    where = StandaloneSettings(cameras=str(tmp_path), listen=request.param, redis_url=NO_REDIS)
    async with running(where) as opened:
        yield opened


async def status(program: Running, path: str, **headers: str) -> int:
    async with caller(program) as http, http.get(path, headers=headers) as response:
        return response.status


async def read(program: Running, path: str) -> str:
    async with caller(program) as http, http.get(path) as response:
        return await response.text()


def caller(program: Running) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(f"http://127.0.0.1:{program.addresses[0].port}")


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


async def test_where_its_address_is_taken_it_takes_the_other_one(tmp_path: Path) -> None:
    async with serve(web.Application(), Listen("127.0.0.1", 0)) as (taken,):
        where = StandaloneSettings(cameras=str(tmp_path), listen=str(taken), redis_url=NO_REDIS)
        async with running(where, otherwise=Listen("127.0.0.1", 0)) as program:
            assert program.addresses[0].port != taken.port
            assert await status(program, "/healthz") == 200


async def test_it_serves_the_metrics_that_the_catalogue_says(tmp_path: Path) -> None:
    where = StandaloneSettings(
        cameras=str(tmp_path), listen="127.0.0.1:0", redis_url="redis://127.0.0.1:1"
    )
    async with running(where) as program:
        text = await read(program, "/metrics")
    served = set(re.findall(rf"^# TYPE ({metrics.PREFIX}\w+)", text, re.MULTILINE))
    assert served == {one.name for one in metrics.CATALOGUE if "standalone" in one.programs}


async def test_a_redis_that_is_away_is_named_without_the_login(tmp_path: Path) -> None:
    where = StandaloneSettings(
        cameras=str(tmp_path), listen="127.0.0.1:0", redis_url="redis://u:hunter2@127.0.0.1:1/3"
    )
    with capture_logs() as logged:
        async with running(where), asyncio.timeout(10):
            while not any(line["event"] == "redis_unavailable" for line in logged):  # noqa: ASYNC110 - a log tells nobody
                await asyncio.sleep(0.01)
    (told,) = (line for line in logged if line["event"] == "redis_unavailable")
    assert told["server"] == "127.0.0.1:1/3"


async def test_a_hangup_stops_it_unless_it_is_ignored_as_under_nohup() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        stop = stop_of_signals()
        signal.raise_signal(signal.SIGHUP)
        await asyncio.sleep(0)
        assert not stop.is_set()
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        stop = stop_of_signals()
        signal.raise_signal(signal.SIGHUP)
        async with asyncio.timeout(5):
            await stop.wait()
    finally:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.remove_signal_handler(number)
        signal.signal(signal.SIGHUP, before)
