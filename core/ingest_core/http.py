"""The ground of every HTTP server of ours: listening, reading JSON, answering JSON, timing.

Bounded in every direction: head and body by bytes, a silent client by time, a metric's labels by
the routes that exist. A body is taken as it comes: nothing is decompressed unasked.
"""

import asyncio
import errno
import ipaddress
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, TypeVar

import msgspec
from aiohttp import hdrs, web
from aiohttp.typedefs import Middleware
from prometheus_client import Histogram

from ingest_core import manifest
from ingest_core.errors import CannotListen
from ingest_core.problems import Handler, ProblemProtocol

T = TypeVar("T")

JSON: Final = "application/json"
MAX_HEAD_LINE: Final = 8190  # bytes of the request's line and of each header
MAX_HEADERS: Final = 64
KEEP_ALIVE_SECONDS: Final = 75.0  # longer than the usual 60 of a proxy in front
LINGER_SECONDS: Final = 2.0  # how long a refused body is read on, so that its sender sees why
SHUTDOWN_SECONDS: Final = 5.0
BODY_SECONDS: Final = 15.0

UNMATCHED: Final = "unmatched"
CLIENT_GONE: Final = "499"  # not a status of HTTP's: nobody was there to be answered
_METHODS: Final = hdrs.METH_ALL


@dataclass(frozen=True, slots=True)
class Listen:
    """An address to listen on; `host` None: every interface, port 0: any free one."""

    host: str | None
    port: int

    @property
    def local(self) -> bool:
        """Can nobody but this machine reach it?"""
        return self.host is not None and is_local(self.host)

    def __str__(self) -> str:
        host = self.host or ""
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"


def parse_listen(text: str) -> Listen:
    """`127.0.0.1:8000`, `[::1]:8000`, `localhost:8000`, or `:8000` for every interface.

    Raises:
        ValueError: It is none of these; the message says which part.
    """
    host, colon, digits = text.rpartition(":")
    if not colon:
        raise ValueError(f"{text!r} has no port: write HOST:PORT, such as 127.0.0.1:8000")
    bracketed = host.startswith("[") and host.endswith("]")
    if not bracketed and ":" in host:
        raise ValueError(f"{text!r}: put an IPv6 address into brackets, such as [::1]:8000")
    if not (digits.isascii() and digits.isdigit() and int(digits) < 1 << 16):
        raise ValueError(f"{text!r}: the port must be a number of 0 to 65535")
    host = host[1:-1] if bracketed else host
    if bracketed and ":" not in host:
        raise ValueError(f"{text!r}: brackets are for an IPv6 address")
    if any(character.isspace() or character in "/[]@" for character in host):
        raise ValueError(f"{text!r}: the host must be a name or an address, without a scheme")
    return Listen(host or None, int(digits))


def is_local(host: str) -> bool:
    """Is a name, or an address without brackets, this machine's and reached by nobody else?"""
    name = host.lower().removesuffix(".")
    if name == "localhost" or name.endswith(".localhost"):  # RFC 6761
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


@asynccontextmanager
async def serve(
    app: web.Application, listen: Listen, *, otherwise: Listen | None = None
) -> AsyncIterator[tuple[Listen, ...]]:
    """Serve until the block ends; gives the addresses that are bound.

    At the end it stops listening, lets answers end for 5 s, then cuts what is left.

    Args:
        app: What answers.
        listen: Where.
        otherwise: Where, if that cannot be had.

    Raises:
        CannotListen: The address is taken, or is none of this machine's.
    """
    loop = asyncio.get_running_loop()
    runner = web.AppRunner(app, shutdown_timeout=SHUTDOWN_SECONDS)
    await runner.setup()
    server = runner.server
    assert server is not None  # setup made it

    def connection() -> ProblemProtocol:
        return ProblemProtocol(
            server,
            loop=loop,
            access_log=None,  # type: ignore[arg-type]  # None turns it off, its type forgot
            auto_decompress=False,
            keepalive_timeout=KEEP_ALIVE_SECONDS,
            lingering_time=LINGER_SECONDS,
            max_line_size=MAX_HEAD_LINE,
            max_field_size=MAX_HEAD_LINE,
            max_headers=MAX_HEADERS,
        )

    async def listening(at: Listen) -> asyncio.Server:
        try:
            return await loop.create_server(
                connection, at.host, at.port, reuse_address=True, backlog=1024
            )
        except OSError as error:
            taken = error.errno == errno.EADDRINUSE
            reason = "address already in use" if taken else error.strerror or str(error)
            raise CannotListen(str(at), reason) from None

    try:
        try:
            listener = await listening(listen)
        except CannotListen:
            if otherwise is None:
                raise
            listener = await listening(otherwise)
        try:
            yield tuple(Listen(*sock.getsockname()[:2]) for sock in listener.sockets)
        finally:
            listener.close()
    finally:
        await runner.cleanup()


def observed(seconds: Histogram, clock: Callable[[], float] = time.perf_counter) -> Middleware:
    """A middleware, the outermost one, that times every answer by method, route and status.

    Args:
        seconds: `metrics.HTTP_SECONDS`, made once per process.
        clock: Monotonic seconds.
    """
    children: dict[tuple[str, str, str], Histogram] = {}  # as many as there are series

    @web.middleware
    async def observe(request: web.Request, handler: Handler) -> web.StreamResponse:
        started = clock()
        status = CLIENT_GONE
        try:
            response = await handler(request)
            status = str(response.status)
            return response
        finally:
            method = request.method if request.method in _METHODS else "other"
            key = method, route_of(request), status
            child = children.get(key)
            if child is None:
                child = children[key] = seconds.labels(*key)
            child.observe(clock() - started)

    return observe


def route_of(request: web.Request) -> str:
    """The template of the route that a request matched, never its path."""
    resource = request.match_info.route.resource
    return UNMATCHED if resource is None else resource.canonical


def json_response(
    value: object,
    status: int = HTTPStatus.OK,
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    """Answer with a value that msgspec can write."""
    return web.Response(
        status=status, body=msgspec.json.encode(value), content_type=JSON, headers=headers
    )


async def read_json(
    request: web.Request,
    type_: type[T],
    limit: int,
    media_types: tuple[str, ...] = (JSON,),
) -> T:
    """Read a JSON body into a msgspec type.

    Args:
        request: Its body must not have been read.
        type_: A msgspec type that forbids unknown fields.
        limit: Of the body, in bytes.
        media_types: Content types that are taken.

    Raises:
        InvalidManifest: It is JSON, and a field breaks a rule (422).
        web.HTTPException: 400 not JSON, 408 too slow, 413 too big, 415 of another type.
    """
    _demand_type(request, media_types)
    body = await read_body(request, limit)
    try:
        raw: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise web.HTTPBadRequest(text=f"the body is not JSON: {_where(error)}") from None
    except RecursionError:
        raise web.HTTPBadRequest(text="the body is nested too deeply") from None
    return manifest.parse(raw, type_)


async def read_body(request: web.Request, limit: int, seconds: float = BODY_SECONDS) -> bytes:
    """Read a whole body, never more than `limit` bytes of it, in at most `seconds`.

    Raises:
        web.HTTPException: 408 too slow, 413 too big.
    """
    if (request.content_length or 0) > limit:
        raise web.HTTPRequestEntityTooLarge(max_size=limit, text=_too_big(limit))
    chunks, size = [], 0
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.content.iter_any():
                chunks.append(chunk)
                size += len(chunk)
                if size > limit:
                    raise web.HTTPRequestEntityTooLarge(max_size=limit, text=_too_big(limit))
    except TimeoutError:
        raise web.HTTPRequestTimeout(text=f"the body took more than {seconds:g} s") from None
    return b"".join(chunks)


def _demand_type(request: web.Request, media_types: tuple[str, ...]) -> None:
    if request.headers.get(hdrs.CONTENT_ENCODING, "identity") != "identity":
        raise web.HTTPUnsupportedMediaType(text="the body must not be compressed")
    if hdrs.CONTENT_TYPE not in request.headers or request.content_type not in media_types:
        wanted = " or ".join(media_types)
        raise web.HTTPUnsupportedMediaType(
            text=f"the body must be {wanted}; with curl: -H 'Content-Type: {media_types[0]}'",
            headers={hdrs.ACCEPT: ", ".join(media_types)},
        )


def _where(error: Exception) -> str:
    return "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)


def _too_big(limit: int) -> str:
    return f"the body must not have more than {limit} bytes"
