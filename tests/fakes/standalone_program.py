"""`camera-ingest standalone` as a process, on a free port, with everything that it says kept."""

import asyncio
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from tests.fakes.captured_camera import eventually

COMMAND = str(Path(sys.executable).parent / "camera-ingest")


@dataclass
class Program:
    """A running program.

    Attributes:
        bodies: Every body that it answered with.
        temporary: Its TMPDIR, which holds nothing else.
    """

    process: asyncio.subprocess.Process
    temporary: Path
    said: bytearray = field(default_factory=bytearray)
    bodies: list[str] = field(default_factory=list)
    base: str = ""
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def lines(self) -> list[Mapping[str, Any]]:
        """What it logged; as JSON only."""
        return [json.loads(line) for line in self.said.splitlines() if line.startswith(b"{")]

    async def read(self) -> None:
        assert self.process.stderr is not None
        while data := await self.process.stderr.read(65536):
            self.said += data
            self._news.set()

    async def until(self, holds: Callable[[], bool], seconds: float = 20) -> None:
        """Wait until something of what it said holds."""
        async with asyncio.timeout(seconds):
            while not holds():
                self._news.clear()
                await self._news.wait()

    async def call(
        self, method: str, path: str, body: object = None, **headers: str
    ) -> tuple[int, Any]:
        """Status and body: decoded if it is JSON, else bytes."""
        data = body if isinstance(body, bytes) else None
        given = None if isinstance(body, bytes) else body
        async with (
            aiohttp.ClientSession(self.base) as http,
            http.request(method, path, json=given, data=data, headers=headers) as answer,
        ):
            raw = await answer.read()
            self.bodies.append(f"{answer.headers}\n{raw.decode(errors='replace')}")
            return answer.status, json.loads(raw) if "json" in answer.content_type else raw

    async def connected(self, camera: str, seconds: float = 20) -> Mapping[str, Any]:
        """Wait until a camera brings frames; its view."""
        async with asyncio.timeout(seconds):
            while True:
                _, view = await self.call("GET", f"/api/cameras/{camera}")
                live = view["status"]["live"]
                if live and live["connected"]:
                    return dict(view)
                await asyncio.sleep(0.02)  # over HTTP nobody tells

    async def stop(self, number: signal.Signals = signal.SIGTERM, seconds: float = 20) -> int:
        """Send it a signal; its exit status."""
        self.process.send_signal(number)
        async with asyncio.timeout(seconds):
            return await self.process.wait()


@asynccontextmanager
async def standalone(
    directory: Path,
    *options: str,
    log_format: str = "json",
    log_level: str = "info",
    environment: Mapping[str, str] | None = None,
) -> AsyncIterator[Program]:
    """Run it on a directory of cameras until the block ends."""
    temporary = Path(tempfile.mkdtemp(prefix="ci-"))  # short, as a unix socket's path must be
    process = await asyncio.create_subprocess_exec(
        *(COMMAND, "standalone", "--cameras", str(directory), "--listen", "127.0.0.1:0"),
        *("--log-format", log_format, "--log-level", log_level, *options),
        env={**os.environ, "TMPDIR": str(temporary), **(environment or {})},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    program = Program(process, temporary)
    reading = asyncio.create_task(program.read())
    assert process.stdout is not None
    printed = asyncio.create_task(process.stdout.read())
    try:
        await program.until(lambda: b"standalone_started" in program.said)
        program.base = "http://127.0.0.1:" + _port(bytes(program.said))
        yield program
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await reading
        program.said += await printed
        # Its Redis is ended by who owns it, who takes the directory away.
        await eventually(lambda: not list(temporary.glob("camera-ingest-redis-*")))
        shutil.rmtree(temporary)


def _port(said: bytes) -> str:
    line = next(line for line in said.splitlines() if b"standalone_started" in line)
    return line.decode().partition("127.0.0.1:")[2].split("'")[0].split('"')[0]
