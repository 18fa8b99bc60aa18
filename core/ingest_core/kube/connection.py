"""TCP to the API server: a peer that vanished without a word is noticed within half a minute.

By itself the kernel gives up on what was sent after a quarter of an hour, and on a connection
that only listens, as a watch does, never. And the environment is asked for a proxy once: aiohttp's
`trust_env` asks at every call, in a thread, which made a call cost three times the CPU, and it
takes a login from ~/.netrc, which cannot go together with a token.
"""

import socket
from typing import Final
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from kubernetes.aio.client import Configuration
from kubernetes.aio.client.rest import RESTClientObject

_OPTIONS: Final = (  # by name: not every system has each of them
    (socket.SOL_SOCKET, "SO_KEEPALIVE", 1),
    (socket.IPPROTO_TCP, "TCP_KEEPIDLE", 10),  # seconds of silence, after which it is probed
    (socket.IPPROTO_TCP, "TCP_KEEPINTVL", 5),
    (socket.IPPROTO_TCP, "TCP_KEEPCNT", 3),
    (socket.IPPROTO_TCP, "TCP_USER_TIMEOUT", 30_000),  # milliseconds for which nothing is acked
)
_BUFFER_BYTES: Final = 2 * 1024 * 1024  # what is read ahead of a long answer


class Connections(RESTClientObject):
    """The official client's, with sockets and a session of ours."""

    def __init__(self, configuration: Configuration) -> None:
        super().__init__(configuration)
        self.proxy = configuration.proxy or _proxy(configuration.host)

    def _create_connector(self) -> aiohttp.TCPConnector:
        return aiohttp.TCPConnector(
            limit=self.maxsize, ssl=self.ssl_context, socket_factory=_make_socket
        )

    def _create_pool_manager(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=self._create_connector(),
            cookie_jar=aiohttp.DummyCookieJar(),
            read_bufsize=_BUFFER_BYTES,
        )


def _make_socket(address: aiohttp.AddrInfoType) -> socket.socket:
    family, kind, protocol, _, _ = address
    made = socket.socket(family, kind, protocol)
    for level, name, value in _OPTIONS:
        if hasattr(socket, name):
            made.setsockopt(level, getattr(socket, name), value)
    return made


def _proxy(url: str) -> str | None:
    """What $HTTPS_PROXY and $NO_PROXY say of an address."""
    parts = urlsplit(url)
    if parts.hostname is None or proxy_bypass(parts.hostname):
        return None
    return getproxies().get(parts.scheme)
