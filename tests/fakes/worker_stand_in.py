"""A worker on a real socket that does what a test tells it to: answer, hang, die, refuse."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus

from aiohttp import hdrs, web
from multidict import CIMultiDictProxy

from ingest_core.http import Listen, serve
from ingest_core.problems import problem

JPEG = b"\xff\xd8 a frame \xff\xd9"

OVER = web.AppKey("over", asyncio.Event)  # set when the stand-in ends: nothing hangs on

Behaviour = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it arrived; `body` once it was read."""

    method: str
    target: str
    headers: CIMultiDictProxy[str]


@dataclass
class WorkerStandIn:
    """Set `behaviour` for what it does with a request, `refuses` for 421 before any body.

    Attributes:
        address: Where it listens.
        asked: What it was asked, in order.
        arrived: It was asked something.
        bodies: What it read.
    """

    address: tuple[str, int]
    behaviour: Behaviour
    refuses: bool = False
    asked: list[Asked] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    bodies: list[bytes] = field(default_factory=list)

    @property
    def targets(self) -> list[str]:
        return [asked.target for asked in self.asked]


async def frame(_request: web.Request) -> web.StreamResponse:
    return web.Response(body=JPEG, content_type="image/jpeg")


async def hang(request: web.Request) -> web.StreamResponse:
    await request.app[OVER].wait()
    raise ConnectionResetError


async def die(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    raise ConnectionResetError


async def unavailable(_request: web.Request) -> web.StreamResponse:
    return problem(HTTPStatus.SERVICE_UNAVAILABLE, "no frame yet", headers={"Retry-After": "2"})


def refusal() -> web.StreamResponse:
    return problem(HTTPStatus.MISDIRECTED_REQUEST, "this worker does not have the camera")


@asynccontextmanager
async def worker_stand_in(
    behaviour: Behaviour = frame, port: int = 0
) -> AsyncIterator[WorkerStandIn]:
    """One that listens until the block ends."""

    async def answer(request: web.Request) -> web.StreamResponse:
        target = request.raw_path
        opened.asked.append(Asked(request.method, target, request.headers))
        opened.arrived.set()
        if opened.refuses:
            return refusal()
        if hdrs.EXPECT in request.headers:
            assert request.transport is not None
            request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return await opened.behaviour(request)

    async def unasked(_request: web.Request) -> None:
        """Whether the body is wanted is decided by `answer`."""

    app = web.Application(client_max_size=1 << 26)
    app[OVER] = asyncio.Event()
    app.router.add_route("*", "/{tail:.*}", answer, expect_handler=unasked)
    async with serve(app, Listen("127.0.0.1", port)) as (address,):
        assert address.host is not None
        opened = WorkerStandIn((address.host, address.port), behaviour)
        try:
            yield opened
        finally:
            app[OVER].set()
