"""The simulator as a process of its own, so that what is measured here is not its work."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import msgspec

from ingest_simulator.camera import SimulatedCamera
from ingest_simulator.control import CameraView, FramesView
from ingest_simulator.faults import Fault
from ingest_simulator.main import FirstLine
from ingest_simulator.session import SessionRecord


class SimulatorProcess:
    """What `Simulator` offers, over its control API."""

    def __init__(self, http: aiohttp.ClientSession) -> None:
        self._http = http

    async def add(self, camera: SimulatedCamera) -> str:
        """Serve a camera; its URL."""
        answer = await self._call("POST", "/cameras", msgspec.json.encode(camera))
        return msgspec.json.decode(answer, type=CameraView).url

    async def fault(self, name: str, fault: Fault) -> None:
        await self._call("PUT", f"/cameras/{name}/fault", msgspec.json.encode(fault))

    async def heal(self, name: str) -> None:
        await self._call("DELETE", f"/cameras/{name}/fault")

    async def frames(self, name: str) -> FramesView:
        answer = await self._call("GET", f"/cameras/{name}/frames")
        return msgspec.json.decode(answer, type=FramesView)

    async def sessions(self, name: str) -> tuple[SessionRecord, ...]:
        answer = await self._call("GET", f"/cameras/{name}/sessions")
        return msgspec.json.decode(answer, type=tuple[SessionRecord, ...])

    async def disconnect(self, name: str) -> None:
        await self._call("DELETE", f"/cameras/{name}/sessions")

    async def _call(self, method: str, path: str, body: bytes | None = None) -> bytes:
        async with self._http.request(method, path, data=body) as response:
            answer = await response.read()
            assert response.ok, answer
            return answer


@asynccontextmanager
async def simulator_process() -> AsyncIterator[SimulatorProcess]:
    """A simulator without cameras, ended with the block."""
    module = (sys.executable, "-m", "ingest_simulator.main")
    options = ("--cameras", "0", "--listen", "127.0.0.1:0", "--control", "127.0.0.1:0", "--json")
    process = await asyncio.create_subprocess_exec(
        *module, *options, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(30):
            told = msgspec.json.decode(await process.stdout.readline(), type=FirstLine)
        async with aiohttp.ClientSession(f"http://{told.control}") as http:
            yield SimulatorProcess(http)
    finally:
        process.terminate()
        await process.communicate()
