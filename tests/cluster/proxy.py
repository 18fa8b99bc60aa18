"""A bad network in front of the API server: TCP that is cut, refused, swallowed or slow.

Promise: when a method returns, it is so; `heal` undoes all of it, on the same port. TLS passes
through untouched, so clients need nothing but the other URL.
"""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from tests.cluster.programs import HOST, free_port

_CHUNK = 65536
_IN_FLIGHT = 64  # chunks on their way in one direction; then the sender feels the wire's length

Wire = asyncio.Queue[tuple[float, bytes]]  # when it was sent, and what


class Proxy:
    """Lives in the loop of the test, within `proxy`."""

    def __init__(self, target: str, tasks: asyncio.TaskGroup) -> None:
        parts = urlsplit(target)
        self._target = (parts.hostname, parts.port)
        self._tasks = tasks
        self._connections: set[Connection] = set()
        self._server: asyncio.Server | None = None
        self._passes = asyncio.Event()
        self._passes.set()
        self._delay = 0.0
        self._port = free_port()
        self.url = f"{parts.scheme}://{HOST}:{self._port}"

    @property
    def connections(self) -> int:
        """How many clients hold a connection."""
        return len(self._connections)

    async def cut(self) -> None:
        """Reset every connection; new ones are served."""
        cut = tuple(self._connections)
        for connection in cut:
            connection.reset()
        await asyncio.gather(*(c.task for c in cut if c.task), return_exceptions=True)

    async def refuse(self) -> None:
        """Cut, and nobody listens any more."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
        await self.cut()
        if server is not None:
            await server.wait_closed()

    async def black_hole(self) -> None:
        """Connections stay open and new ones are taken; no byte gets through, no end is told."""
        self._passes.clear()

    async def delay(self, seconds: float) -> None:
        """Each byte takes so long, each way."""
        self._delay = seconds

    async def heal(self) -> None:
        """A good network again; what was swallowed arrives."""
        self._delay = 0.0
        self._passes.set()
        if self._server is None:
            self._server = await asyncio.start_server(self._accept, HOST, self._port)

    async def pass_on(self, sent: float) -> None:
        """Return when bytes that were sent at this time of the loop arrive."""
        await asyncio.sleep(sent + self._delay - asyncio.get_running_loop().time())
        await self._passes.wait()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = Connection(self.pass_on, reader, writer)
        self._connections.add(connection)
        connection.task = self._tasks.create_task(connection.run(*self._target))
        connection.task.add_done_callback(lambda _: self._connections.discard(connection))


class Connection:
    """A client's connection and ours to the server, until either ends."""

    task: asyncio.Task[None] | None = None

    def __init__(
        self,
        pass_on: Callable[[float], Awaitable[None]],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._pass_on = pass_on
        self._reader = reader
        self._writers = [writer]

    async def run(self, host: str | None, port: int | None) -> None:
        client = self._writers[0]
        try:
            far_reader, server = await asyncio.open_connection(host, port)
        except OSError:
            client.transport.abort()
            return
        self._writers.append(server)
        there, back = Wire(_IN_FLIGHT), Wire(_IN_FLIGHT)
        fetching = [
            asyncio.create_task(_fetch(self._reader, there)),
            asyncio.create_task(_fetch(far_reader, back)),
        ]
        delivering = [
            asyncio.create_task(self._deliver(there, server)),
            asyncio.create_task(self._deliver(back, client)),
        ]
        try:
            await asyncio.wait(delivering, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (*fetching, *delivering):
                task.cancel()
            await asyncio.gather(*fetching, *delivering, return_exceptions=True)
            client.close()
            server.close()

    def reset(self) -> None:
        """Both sides see a reset at once."""
        for writer in self._writers:
            sock = writer.get_extra_info("socket")
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
        if self.task is not None:
            self.task.cancel()

    async def _deliver(self, wire: Wire, writer: asyncio.StreamWriter) -> None:
        """Until the far end of this way is told."""
        with contextlib.suppress(OSError):
            while True:
                sent, data = await wire.get()
                await self._pass_on(sent)
                if not data:
                    return
                writer.write(data)
                await writer.drain()


async def _fetch(reader: asyncio.StreamReader, wire: Wire) -> None:
    """Put what comes on the wire, and nothing (`b""`) when it has ended."""
    now = asyncio.get_running_loop().time
    data = b"?"
    while data:
        try:
            data = await reader.read(_CHUNK)
        except OSError:
            data = b""
        await wire.put((now(), data))


@asynccontextmanager
async def proxy(target: str) -> AsyncIterator[Proxy]:
    """A proxy before a URL (`https://host:port`), good until it is told otherwise."""
    async with asyncio.TaskGroup() as tasks:
        wire = Proxy(target, tasks)
        await wire.heal()
        try:
            yield wire
        finally:
            await wire.refuse()
