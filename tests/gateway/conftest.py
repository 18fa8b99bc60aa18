"""A gateway on a real socket, over a registry in memory and workers that are told what to say."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from msgspec.structs import replace
from prometheus_client import CollectorRegistry

from ingest_core.errors import CameraChanged
from ingest_core.http import Listen, serve
from ingest_core.live import Live
from ingest_core.model import Camera, CameraSpec
from ingest_gateway.app import make_app
from tests.fakes.memory_registry import MemoryRegistry

JPEG = b"\xff\xd8\xff\xd9"


@dataclass
class FakeWorkers:
    """Says what it was asked; `error` is raised instead."""

    asked: list[tuple[str, str, str]] = field(default_factory=list)
    alive: dict[str, Live] = field(default_factory=dict)
    error: Exception | None = None
    pushed: dict[str, str] = field(default_factory=dict)

    async def answer(self, request: web.Request, camera: Camera, tail: str) -> web.StreamResponse:
        self.asked.append((camera.id, tail, request.query_string))
        if self.error is not None:
            raise self.error
        if tail == "push":
            form = await request.post()
            self.pushed = {key: type(value).__name__ for key, value in form.items()}
            return web.json_response({"sequence": 1}, status=202)
        return web.Response(body=JPEG, content_type="image/jpeg")

    async def live(self, cameras: Sequence[Camera]) -> Mapping[str, Live]:
        await asyncio.sleep(0)
        return {camera.id: self.alive[camera.id] for camera in cameras if camera.id in self.alive}


class ChangingRegistry(MemoryRegistry):
    """One in which somebody else's changes come first: each of `meanwhile`, once."""

    def __init__(self) -> None:
        super().__init__()
        self.meanwhile: list[Mapping[str, Any]] = []

    async def replace(
        self, name: str, spec: CameraSpec, secret: Mapping[str, str] | None
    ) -> Camera:
        if self.meanwhile:
            theirs = replace(self.cameras[name].spec, **self.meanwhile.pop(0))
            await super().replace(name, theirs, None)
            raise CameraChanged(name)
        return await super().replace(name, spec, secret)


@dataclass
class Gateway:
    url: str
    session: aiohttp.ClientSession
    registry: ChangingRegistry
    workers: FakeWorkers
    exposition: CollectorRegistry
    ready: bool = True


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    registry, workers, exposition = ChangingRegistry(), FakeWorkers(), CollectorRegistry()
    listen = Listen("127.0.0.1", 0)
    app = make_app(registry, workers, exposition, ready=lambda: opened.ready, local=listen.local)
    async with serve(app, listen) as (address,):
        url = f"http://{address}"
        async with aiohttp.ClientSession(url) as session:
            opened = Gateway(url, session, registry, workers, exposition)
            yield opened
