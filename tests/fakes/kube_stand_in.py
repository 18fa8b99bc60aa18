"""A stand-in for the API server that says what a test tells it, down to the byte.

For what a real one does not do when it is asked to: refuse in every way there is, talk rubbish,
break off, hang. It lives in the loop of the test; sockets only, so it fits virtual time.
"""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from ingest_core.kube.access import load
from ingest_core.kube.client import SILENCE_SECONDS, Api, Called, _nobody
from tests.cluster.api_server import write_kubeconfig

TOKEN = "token-that-nobody-may-see"
NAMESPACE = "ns"

Say = Callable[[asyncio.StreamWriter], Awaitable[None]]  # what it does once it was asked


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, as it came; header names in lower case."""

    at: float
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class StandIn:
    """Says one after the other what is in `plan`, then the last of it for ever.

    Attributes:
        url: Where it is.
        asked: All requests.
        plan: What it is to say.
    """

    def __init__(self, *plan: Say) -> None:
        self.url = ""
        self.asked: list[Asked] = []
        self.plan = list(plan)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, to its end."""
        try:
            while asked := await _request(reader):
                self.asked.append(asked)
                say = self.plan.pop(0) if len(self.plan) > 1 else self.plan[0]
                await say(writer)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client has gone, or the test has ended
        finally:
            writer.transport.abort()


async def _request(reader: asyncio.StreamReader) -> Asked | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.split("\r\n")
    method, path, _ = first.split(" ")
    pairs = (line.partition(": ") for line in lines if line)
    headers = {name.lower(): value for name, _, value in pairs}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Asked(asyncio.get_running_loop().time(), method, path, headers, body)


@asynccontextmanager
async def stand_in(*plan: Say, tls: ssl.SSLContext | None = None) -> AsyncIterator[StandIn]:
    """Serve a plan, on a port of loopback."""
    server = StandIn(*plan)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=tls)
    port = listening.sockets[0].getsockname()[1]
    server.url = f"{'https' if tls else 'http'}://127.0.0.1:{port}"
    try:
        yield server
    finally:
        listening.close()


@asynccontextmanager
async def called_api(
    url: str, folder: Path, called: Called = _nobody, silence: float = SILENCE_SECONDS
) -> AsyncIterator[Api]:
    """Our client of a server at this URL, as a user with `TOKEN`."""
    kubeconfig = folder / "kubeconfig"
    write_kubeconfig(kubeconfig, url, folder / "ca.pem", {"token": TOKEN}, NAMESPACE)
    (folder / "ca.pem").touch()
    access = await load(str(kubeconfig), {})
    async with Api(access, None, called, silence=silence) as api:
        yield api


def said(status: int, body: object = b"{}", **headers: str) -> Say:
    """A whole answer: bytes as they are, anything else as JSON; `Retry_After="1"` is a header."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = {"Content_Type": "application/json", "Content_Length": str(len(content)), **headers}
    return raw(_head(status, lines) + content)


def refusal(status: int, reason: str, message: str, **headers: str) -> Say:
    """An answer as the API server words it."""
    body = {"kind": "Status", "status": "Failure", "reason": reason, "message": message}
    return said(status, body, **headers)


def raw(*parts: bytes) -> Say:
    """Bytes, each part by itself, and the connection stays open."""

    async def say(writer: asyncio.StreamWriter) -> None:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0)

    return say


def raw_end(*parts: bytes) -> Say:
    """Bytes, and then the end of the connection."""

    async def say(writer: asyncio.StreamWriter) -> None:
        await raw(*parts)(writer)
        writer.close()

    return say


def stream(*parts: bytes) -> Say:
    """Begin a watch: chunks, and no end."""
    return raw(_head(200, _CHUNKED), *map(_chunk, parts))


def stream_end(*parts: bytes) -> Say:
    """A watch that ends as one does."""
    return raw(_head(200, _CHUNKED), *map(_chunk, parts), b"0\r\n\r\n")


async def reset(writer: asyncio.StreamWriter) -> None:
    """Nothing: the connection is no more."""
    writer.transport.abort()


async def hang(_writer: asyncio.StreamWriter) -> None:
    """Nothing, and nothing after it."""
    await asyncio.Event().wait()


_CHUNKED = {"Content_Type": "application/json", "Transfer_Encoding": "chunked"}


def _chunk(part: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(part), part)


def _head(status: int, headers: dict[str, str]) -> bytes:
    known = {one.value: one.phrase for one in HTTPStatus}
    lines = [f"HTTP/1.1 {status} {known.get(status, 'Odd')}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode()
