"""A gateway on a real socket in front of stand-ins for workers."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from prometheus_client import CollectorRegistry
from yarl import URL

from ingest_core.http import Listen, serve
from ingest_core.metrics import WORKER_REQUESTS
from ingest_gateway.app import make_app
from ingest_gateway.proxy import Proxy
from ingest_gateway.worker_client import WorkerClient
from tests.fakes.shown_cameras import ShownCameras
from tests.fakes.worker_stand_in import Behaviour, WorkerStandIn, frame, worker_stand_in

SECONDS = 0.4  # of patience with a worker


@dataclass
class Proxied:
    """What a test holds of it.

    Attributes:
        addresses: By the worker's name; a test may change them.
        looked_up: Names that the API server was asked for; `on_look_up` is what it shows then.
    """

    url: str
    session: aiohttp.ClientSession
    cameras: ShownCameras
    workers: Sequence[WorkerStandIn]
    addresses: dict[str, tuple[str, int]]
    exposition: CollectorRegistry
    looked_up: list[str] = field(default_factory=list)
    on_look_up: Any = None

    async def get(self, path: str | URL, **options: Any) -> tuple[int, bytes, Any]:
        """Status, body and headers of an answer."""
        async with self.session.get(path, **options) as response:
            return response.status, await response.read(), response.headers

    def count(self, result: str) -> float:
        """How many requests to workers came to this."""
        return self.exposition.get_sample_value(WORKER_REQUESTS.name, {"result": result}) or 0.0


@asynccontextmanager
async def proxied(*behaviours: Behaviour, seconds: float = SECONDS) -> AsyncIterator[Proxied]:
    """A gateway before the workers `w-0`, `w-1`, …, which do as they are told."""
    async with AsyncExitStack() as stack:
        workers = [
            await stack.enter_async_context(worker_stand_in(behaviour))
            for behaviour in behaviours or (frame,)
        ]
        addresses = {f"w-{number}": worker.address for number, worker in enumerate(workers)}
        cameras, exposition = ShownCameras(), CollectorRegistry()
        client = await stack.enter_async_context(WorkerClient(addresses.get, seconds, exposition))

        async def look_up(name: str) -> None:
            opened.looked_up.append(name)
            if opened.on_look_up is not None:
                opened.on_look_up()

        app = make_app(
            cameras,
            Proxy(cameras, look_up, client),
            exposition,
            ready=lambda: True,
            local=True,
        )
        (address,) = await stack.enter_async_context(serve(app, Listen("127.0.0.1", 0)))
        url = f"http://{address}"
        session = await stack.enter_async_context(aiohttp.ClientSession(url, auto_decompress=False))
        opened = Proxied(url, session, cameras, workers, addresses, exposition)
        yield opened
