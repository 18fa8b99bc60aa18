"""Kopf's way to the API server: a session of ours, in which it is not told what waiting heals.

Kopf ends when it is told that it is nobody (401), or that there is nothing (404), so an operator
would end with CRDs that are replaced or a token that is late. Here such an answer is kept back
until everything can be read again, and then the question is asked once more. Each question says who
we are by what is valid now: tokens and certificates are rotated.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final

import aiohttp
import structlog
from aiohttp import hdrs

from ingest_core.errors import ApiUnavailable
from ingest_core.kube.access import Access
from ingest_core.kube.connection import make_socket, proxy_of

_RETRY_SECONDS: Final = 0.5
_OBJECTS: Final = "/namespaces/"  # in the paths of lists and watches

log: structlog.stdlib.BoundLogger = structlog.get_logger()


def make_session(access: Access, reach: Callable[[], Awaitable[None]]) -> aiohttp.ClientSession:
    """A session for lists and watches.

    Args:
        access: Who we are, and which server it is.
        reach: Returns when everything can be read.

    Raises:
        ApiUnavailable: A certificate or key, in a file that `access` names, is none.
    """
    context, chosen = _Context(access), access.configuration

    async def ask(
        request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        while True:
            authorization = await access.authorization()
            if authorization:
                request.headers[hdrs.AUTHORIZATION] = authorization
            context.renew()
            answer = await handler(request)
            if not _heals(answer.status, request.url.path):
                return answer
            answer.close()
            await asyncio.sleep(_RETRY_SECONDS)
            if answer.status == HTTPStatus.UNAUTHORIZED:
                await _reload(access)
            await reach()

    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, ssl=context.made, socket_factory=make_socket),
        cookie_jar=aiohttp.DummyCookieJar(),
        proxy=chosen.proxy or proxy_of(chosen.host),
        middlewares=(ask,),
    )


def _heals(status: int, path: str) -> bool:
    if status == HTTPStatus.UNAUTHORIZED:
        return True
    return status in (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND) and _OBJECTS in path


async def _reload(access: Access) -> None:
    try:
        await access.reload()
    except ApiUnavailable as error:
        log.warning("access_not_reloaded", error=str(error))


class _Context:
    """Whom connections trust and who they are; new ones by what `access` names now."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._made_of = access.fingerprint
        chosen = access.configuration
        try:
            self.made: Final = ssl.create_default_context(cafile=chosen.ssl_ca_cert)
            self._load()
        except (OSError, ValueError):
            raise ApiUnavailable(f"{access.where} names certificates that are none") from None
        if not chosen.verify_ssl:
            self.made.check_hostname = False
            self.made.verify_mode = ssl.CERT_NONE

    def renew(self) -> None:
        if self._made_of == self._access.fingerprint:
            return
        self._made_of = self._access.fingerprint
        try:
            self._load()
        except (OSError, ValueError):
            log.warning("certificates_not_renewed", access=self._access.where)

    def _load(self) -> None:
        chosen = self._access.configuration
        if chosen.ssl_ca_cert:
            self.made.load_verify_locations(chosen.ssl_ca_cert)
        if chosen.cert_file:
            self.made.load_cert_chain(chosen.cert_file, chosen.key_file)
