"""A TCP port that can be shut and opened again, and the connections that came through it.

Opening and shutting take effect at once (no await), so that a refusal begins and ends exactly when
it is called for. Promises: every connection's task is awaited in `close`, and what failed in one
for a reason of the simulator's own comes out there.
"""

import asyncio
import socket
import ssl

import structlog

from ingest_simulator.connection import Connection
from ingest_simulator.live import LiveCamera
from ingest_simulator.messages import MAX_HEAD
from ingest_simulator.presentation import Site

_BACKLOG = 512
_PAUSE_SECONDS = 0.5
_log = structlog.get_logger()


class Port:
    """`number` 0 takes a free port at the first opening and keeps it."""

    def __init__(
        self,
        site: Site,
        host: str,
        number: int,
        *,
        tls: ssl.SSLContext | None,
        only: LiveCamera | None = None,
    ) -> None:
        self.number = number
        self._site, self._host, self._tls, self._only = site, host, tls, only
        self._socket: socket.socket | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._failures: list[Exception] = []

    def open(self) -> None:
        """Listen; nothing happens when it does already. Raises OSError."""
        if self._socket is not None:
            return
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        listening = socket.socket(family, socket.SOCK_STREAM)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.setblocking(False)
            listening.bind((self._host, self.number))
            listening.listen(_BACKLOG)
        except OSError:
            listening.close()
            raise
        self.number = listening.getsockname()[1]
        self._socket = listening
        asyncio.get_running_loop().add_reader(listening, self._accept, listening)

    def shut(self) -> None:
        """Refuse from now on; living connections go on."""
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
            self._socket = None

    @property
    def idle(self) -> bool:
        """Whether no connection is left."""
        return not self._tasks

    async def close(self) -> list[Exception]:
        """Shut, and end every connection. Returns what went wrong unexpectedly in any of them."""
        self.shut()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return self._failures

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(_BACKLOG):
            try:
                connection, _ = listening.accept()
            except BlockingIOError:
                return
            except ConnectionError:
                continue
            except OSError as error:
                # Out of descriptors: pause, or the loop would spin on a listener always ready.
                _log.warning("accept_failed", port=self.number, errno=error.errno)
                loop = asyncio.get_running_loop()
                loop.remove_reader(listening)
                loop.call_later(_PAUSE_SECONDS, self._resume, listening)
                return
            connection.setblocking(False)
            task = asyncio.create_task(self._serve(connection), name="rtsp connection")
            self._tasks.add(task)
            task.add_done_callback(self._ended)

    def _resume(self, listening: socket.socket) -> None:
        if self._socket is listening:
            asyncio.get_running_loop().add_reader(listening, self._accept, listening)

    async def _serve(self, connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=MAX_HEAD)
        protocol = asyncio.StreamReaderProtocol(reader)
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            transport, _ = await loop.connect_accepted_socket(
                lambda: protocol, connection, ssl=self._tls
            )
        except OSError:  # gone already, or no TLS: the client's affair
            connection.close()
            return
        writer = asyncio.StreamWriter(transport, protocol, reader, loop)
        await Connection(self._site, reader, writer, self._only).serve()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if isinstance(error, Exception):
            _log.error("connection_crashed", port=self.number, exc_info=error)
            self._failures = [*self._failures[-9:], error]
