"""A wire to a camera that can go dead: everything is open, nothing gets through, nobody is told."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit


class Relay:
    """Forwards bytes both ways until it is `cut`; `change` is done to those of the camera."""

    def __init__(self) -> None:
        self._alive = asyncio.Event()
        self._alive.set()
        self.change: Callable[[bytes], bytes] = bytes

    def cut(self) -> None:
        self._alive.clear()

    async def forward(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        change: Callable[[bytes], bytes] = bytes,
    ) -> None:
        try:
            while data := await reader.read(65536):
                await self._alive.wait()
                writer.write(change(data))
        except ConnectionError:
            return
        finally:
            writer.transport.abort()


@asynccontextmanager
async def relay(url: str) -> AsyncIterator[tuple[Relay, str]]:
    """A relay to a camera, and the camera's URL through it."""
    parts = urlsplit(url)
    wire = Relay()
    tasks: set[asyncio.Task[None]] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(parts.hostname, parts.port)
        tasks.add(asyncio.create_task(wire.forward(reader, far_writer)))
        tasks.add(asyncio.create_task(wire.forward(far_reader, writer, wire.change)))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield wire, url.replace(f":{parts.port}/", f":{port}/")
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
