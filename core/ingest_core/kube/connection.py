"""TCP to the API server: a peer that vanished without a word is noticed within half a minute.

By itself the kernel gives up on what was sent after a quarter of an hour, and on a connection
that only listens, as a watch does, never. And the environment is asked for a proxy once: aiohttp's
`trust_env` asks at every call, in a thread, which made a call cost three times the CPU, and it
takes a login from ~/.netrc, which cannot go together with a token.
Authorities and client certificates are rotated: once they are others, so are the connections.
"""

import socket
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
import structlog
from kubernetes.aio.client import Configuration
from kubernetes.aio.client.rest import RESTClientObject

from ingest_core.errors import ApiUnavailable
from ingest_core.kube.access import Access

_OPTIONS: Final = (  # by name: not every system has each of them
    (socket.SOL_SOCKET, "SO_KEEPALIVE", 1),
    (socket.IPPROTO_TCP, "TCP_KEEPIDLE", 10),  # seconds of silence, after which it is probed
    (socket.IPPROTO_TCP, "TCP_KEEPINTVL", 5),
    (socket.IPPROTO_TCP, "TCP_KEEPCNT", 3),
    (socket.IPPROTO_TCP, "TCP_USER_TIMEOUT", 30_000),  # milliseconds for which nothing is acked
)
_BUFFER_BYTES: Final = 2 * 1024 * 1024  # what is read ahead of a long answer
_CONNECTIONS: Final = 100

log: structlog.stdlib.BoundLogger = structlog.get_logger()


class Connections(RESTClientObject):
    """The official client's, with sockets and a session of ours."""

    def __init__(self, configuration: Configuration) -> None:
        super().__init__(configuration)
        self.proxy = configuration.proxy or proxy_of(configuration.host)

    def _create_connector(self) -> aiohttp.TCPConnector:
        return aiohttp.TCPConnector(
            limit=_CONNECTIONS, ssl=self.ssl_context, socket_factory=make_socket
        )

    def _create_pool_manager(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=self._create_connector(),
            cookie_jar=aiohttp.DummyCookieJar(),
            read_bufsize=_BUFFER_BYTES,
        )


class Lender:
    """Owner of the connections that `access` asks for, and of older ones that are in use still.

    A certificate that is written at this moment makes no connection: the older ones go on, and the
    next change of the files is another try.

    Raises:
        ApiUnavailable: A certificate or key, in a file that `access` names, is none.
    """

    def __init__(self, access: Access) -> None:
        self._access = access
        self._made_of = access.fingerprint
        self._borrowed: Counter[RESTClientObject] = Counter()
        self._current = self._make()

    @asynccontextmanager
    async def lend(self) -> AsyncIterator[RESTClientObject]:
        """Connections for one request: what they are made of now may be gone before its end."""
        if self._made_of != self._access.fingerprint:
            await self._renew()
        lent = self._current
        self._borrowed[lent] += 1
        try:
            yield lent
        finally:
            self._borrowed[lent] -= 1
            await self._close_if_left(lent)

    async def close(self) -> None:
        for one in {*self._borrowed, self._current}:
            await one.close()

    async def _renew(self) -> None:
        self._made_of = self._access.fingerprint
        try:
            made = self._make()
        except ApiUnavailable as error:
            log.warning("connections_not_renewed", error=str(error))
            return
        old, self._current = self._current, made
        log.info("connections_renewed", access=self._access.where)
        await self._close_if_left(old)

    async def _close_if_left(self, one: RESTClientObject) -> None:
        if one is not self._current and not self._borrowed[one]:
            del self._borrowed[one]
            await one.close()

    def _make(self) -> RESTClientObject:
        try:
            return Connections(self._access.configuration)
        except (OSError, ValueError):
            raise ApiUnavailable(f"{self._access.where} names certificates that are none") from None


def make_socket(address: aiohttp.AddrInfoType) -> socket.socket:
    """A socket that notices a peer which vanished: aiohttp's `socket_factory`."""
    family, kind, protocol, _, _ = address
    made = socket.socket(family, kind, protocol)
    for level, name, value in _OPTIONS:
        if hasattr(socket, name):
            made.setsockopt(level, getattr(socket, name), value)
    return made


def proxy_of(url: str) -> str | None:
    """What $HTTPS_PROXY and $NO_PROXY say of an address."""
    parts = urlsplit(url)
    if parts.hostname is None or proxy_bypass(parts.hostname):
        return None
    return getproxies().get(parts.scheme)
