"""A way in to a gateway, as devices and browsers take it: HTTP to an address, by a host's name."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import urllib3
from urllib3 import BaseHTTPResponse, HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError

from tests.cluster.command_line import Failed
from tests.e2e import states

_ANSWER_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class _Told:
    """An answer, for people who wait for another one."""

    status: int
    beginning: bytes
    answer: BaseHTTPResponse


@dataclass(frozen=True, slots=True)
class Door:
    """See the module. Made by `door`; one connection, which is kept alive.

    Attributes:
        host: The name that is asked for.
    """

    host: str
    _connections: HTTPConnectionPool

    def ask(
        self,
        path: str,
        *,
        method: str = "GET",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> BaseHTTPResponse:
        """One answer, whatever it is; nothing is asked twice.

        Raises:
            HTTPError: There is none.
        """
        named = {"Host": self.host, **(headers or {})}
        return self._connections.urlopen(method, path, body, named, retries=False)

    def latest(self, camera: str) -> BaseHTTPResponse:
        """Ask for a camera's latest frame. Raises as `ask`."""
        return self.ask(f"/api/cameras/{camera}/frame/latest")

    def push(self, camera: str, picture: bytes, token: str = "") -> BaseHTTPResponse:
        """Push a JPEG, with the camera's token if it has one. Raises as `ask`."""
        headers = {"Content-Type": "image/jpeg"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        path = f"/api/ingest/push/{camera}"
        return self.ask(path, method="POST", body=picture, headers=headers)

    def until(self, status: int, path: str) -> BaseHTTPResponse:
        """The answer, as soon as its status is this one: who serves it learns of it by a watch."""
        return states.until(lambda: self._told(path), lambda told: told.status == status).answer

    def _told(self, path: str) -> _Told:
        try:
            answer = self.ask(path)
        except HTTPError as error:
            raise Failed(f"{self.host}{path}: {error}") from error
        return _Told(answer.status, answer.data[:300], answer)


def door(url: str, host: str | None = None, authority: Path | None = None) -> Door:
    """The way to a URL's address.

    Args:
        url: http or https, and an address; of a path nothing.
        host: The name that is asked for; None: the address.
        authority: What must have signed the certificate of https, which must be the host's.
    """
    parts = urlsplit(url)
    name = host or parts.netloc
    pool: HTTPConnectionPool
    assert parts.hostname is not None
    timeout = urllib3.Timeout(_ANSWER_SECONDS)
    if parts.scheme == "https":
        pool = HTTPSConnectionPool(
            parts.hostname,
            parts.port,
            timeout,
            ca_certs=str(authority),
            server_hostname=name,
            assert_hostname=name,
        )
    else:
        pool = HTTPConnectionPool(parts.hostname, parts.port, timeout)
    return Door(name, pool)
