"""Call the API server: JSON in, JSON out, every failure one of ours.

The official client brings access, TLS and connections; its models are left out, as decoding 10,000
Cameras through them costs seconds and msgspec's types say as much. What the server asks for with
`Retry-After` is done here; what a lost connection left undone is for the caller, who looks again.
A PUT or DELETE whose connection ends aiohttp sends once more, so a conflict, or an object that is
gone, may be our own doing; a POST or PATCH it never sends twice.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Literal, Protocol, Self
from urllib.parse import urlencode

import aiohttp
import msgspec
from aiohttp import hdrs
from kubernetes.aio.client.exceptions import OpenApiException

from ingest_core.errors import (
    ApiConflict,
    ApiExpired,
    ApiForbidden,
    ApiInvalid,
    ApiNotFound,
    ApiRefused,
    ApiUnavailable,
    Cause,
)
from ingest_core.kube.access import Access
from ingest_core.kube.connection import Lender
from ingest_core.kube.resources import Resource

JSON: Final = "application/json"
APPLY: Final = "application/apply-patch+yaml"
MERGE: Final = "application/merge-patch+json"

CALL_SECONDS: Final = 15.0
CONNECT_SECONDS: Final = 5.0
# Of a watch. The API server sends a bookmark about every 60 s (58 to 61 s were seen, more where it
# lacks CPU), but leaves one out that finds the watch's buffer full; and it sends none before
# something of that kind was written since it started (230 s without one were seen). So a watch that
# is silent for so long may be a good one: it is begun anew, and no more is made of it.
SILENCE_SECONDS: Final = 150.0
_LINE_BYTES: Final = 4 * 1024 * 1024  # of one event of a watch: twice what etcd takes
PATIENCE_SECONDS: Final = 10.0  # for which a call waits where the server asks to come back later
_RETRY_SECONDS: Final = 1.0  # where a server that is overloaded does not say; and the least

_REFUSALS: Final[Mapping[int, type[ApiRefused]]] = {
    400: ApiInvalid,
    403: ApiForbidden,
    404: ApiNotFound,
    409: ApiConflict,
    410: ApiExpired,
    422: ApiInvalid,
}
_UNAUTHORIZED: Final = 401
_NOT_FOUND: Final = 404
_TOO_MANY: Final = 429
_TOO_LARGE: Final = "ResourceVersionTooLarge"  # a cause: the server's cache is not so far yet
_SERVER_ERROR: Final = 500
_OK: Final = range(200, 300)

Verb = Literal["get", "list", "watch", "create", "update", "patch", "delete"]

_METHODS: Final[Mapping[Verb, str]] = {
    "get": hdrs.METH_GET,
    "list": hdrs.METH_GET,
    "watch": hdrs.METH_GET,
    "create": hdrs.METH_POST,
    "update": hdrs.METH_PUT,
    "patch": hdrs.METH_PATCH,
    "delete": hdrs.METH_DELETE,
}


def _never_late() -> None:
    pass


@dataclass(frozen=True, slots=True)
class Call:
    """What is asked of the API server.

    Attributes:
        verb: As RBAC and metrics name it.
        resource: Which kind.
        name: Which object; empty: the collection.
        subresource: Which part of it.
        query: Parameters.
        body: What msgspec can turn into JSON.
        content_type: Of the body.
        fence: Called right before each time that it is sent; raises where it must not be any more.
    """

    verb: Verb
    resource: Resource
    name: str = ""
    subresource: str = ""
    query: Mapping[str, str] = field(default_factory=dict)
    body: object = None
    content_type: str = JSON
    fence: Callable[[], None] = _never_late

    @property
    def label(self) -> str:
        """The resource as RBAC names it."""
        plural = self.resource.plural
        return f"{plural}/{self.subresource}" if self.subresource else plural


class Called(Protocol):
    """Told of every call: verb, resource, status (`none`: no answer), seconds."""

    def __call__(self, verb: str, resource: str, code: str, took: float, /) -> None: ...


def _nobody(_verb: str, _resource: str, _code: str, _took: float, /) -> None:
    pass


class _Details(msgspec.Struct, frozen=True):
    causes: tuple[Cause, ...] = ()


class Status(msgspec.Struct, frozen=True):
    """What the API server says of a refusal."""

    reason: str = ""
    message: str = ""
    details: _Details = _Details()


class Api:
    """One API server and one namespace, for one event loop; an async context manager.

    Args:
        access: Loaded.
        namespace: Where every object of ours is.
        called: Told of every call, for metrics.
        silence: Seconds after which a watch that tells nothing is dead.

    Raises:
        ApiUnavailable: A certificate or key, in a file that `access` names, is none.
    """

    def __init__(
        self,
        access: Access,
        namespace: str | None = None,
        called: Called = _nobody,
        *,
        silence: float = SILENCE_SECONDS,
    ) -> None:
        self.access = access
        self.namespace = namespace or access.namespace
        self._called = called
        self._silence = silence
        self._lender = Lender(access)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._lender.close()

    async def get(self, resource: Resource, name: str = "", **query: str) -> bytes:
        """One object, or with no name the collection. Raises as `call`."""
        verb: Verb = "get" if name else "list"
        return await self.call(Call(verb, resource, name, query=query))

    async def create(self, resource: Resource, body: object, *, manager: str) -> bytes:
        """Raises as `call`; ApiConflict: it exists."""
        return await self.call(Call("create", resource, query=_strict(manager), body=body))

    async def update(self, resource: Resource, name: str, body: object, *, manager: str) -> bytes:
        """Replace an object; the resourceVersion in its body, if any, must be the current one."""
        return await self.call(Call("update", resource, name, query=_strict(manager), body=body))

    async def apply(
        self,
        resource: Resource,
        name: str,
        body: object,
        *,
        manager: str,
        subresource: str = "",
        fence: Callable[[], None] = _never_late,
    ) -> bytes:
        """Server-side apply: what `body` holds becomes this manager's, by force."""
        query = {"fieldManager": manager, "force": "true"}
        return await self.call(
            Call("patch", resource, name, subresource, query, body, APPLY, fence)
        )

    async def merge(
        self, resource: Resource, name: str, body: object, *, manager: str, subresource: str = ""
    ) -> bytes:
        """JSON merge patch."""
        query = {"fieldManager": manager}
        call = Call("patch", resource, name, subresource, query, body, content_type=MERGE)
        return await self.call(call)

    async def delete(
        self,
        resource: Resource,
        name: str,
        *,
        uid: str | None = None,
        version: str | None = None,
        fence: Callable[[], None] = _never_late,
    ) -> None:
        """Raises as `call`; ApiNotFound: it is gone; ApiConflict: it is another one by now."""
        wanted = {"uid": uid, "resourceVersion": version}
        preconditions = {key: value for key, value in wanted.items() if value}
        body = {"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": preconditions}
        await self.call(Call("delete", resource, name, body=body, fence=fence))

    async def call(self, call: Call, seconds: float = CALL_SECONDS) -> bytes:
        """Call once, and again where the server asks for that and it is soon.

        Args:
            call: What to do.
            seconds: For each try.

        Raises:
            ApiRefused: One of its kinds, by status.
            ApiUnavailable: No answer, or that of a server which is broken or overloaded.
            Whatever the call's fence raises.
        """
        now = asyncio.get_running_loop().time
        until = now() + PATIENCE_SECONDS
        timeout = aiohttp.ClientTimeout(total=seconds, sock_connect=CONNECT_SECONDS)
        while True:
            try:
                async with self._asked(call, timeout) as answer:
                    return await answer.read()
            except ApiUnavailable as error:
                if error.retry_after is None or now() + error.retry_after > until:
                    raise
                await asyncio.sleep(error.retry_after)

    @asynccontextmanager
    async def watch(
        self, resource: Resource, query: Mapping[str, str], seconds: float
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """Lines of a watch, for at most so long, each at most 4 MiB.

        A watch that is silent for longer than the server's bookmarks take is dead.

        Raises:
            ApiExpired: A line is longer, or the version is forgotten: only a list can tell.
            ApiRefused, ApiUnavailable: As `call`, also while it is read.
        """
        timeout = aiohttp.ClientTimeout(
            total=seconds + CALL_SECONDS, sock_connect=CONNECT_SECONDS, sock_read=self._silence
        )
        parameters = {**query, "watch": "true", "timeoutSeconds": str(int(seconds))}
        async with self._asked(Call("watch", resource, query=parameters), timeout) as answer:
            try:
                yield _lines(answer.content)
            finally:
                if answer.connection is not None and answer.connection.transport is not None:
                    answer.connection.transport.abort()  # a farewell by TLS would outlive the loop

    @asynccontextmanager
    async def _asked(
        self, call: Call, timeout: aiohttp.ClientTimeout
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """An answer that is no refusal; what goes wrong while it is read is mapped, too."""
        began = time.perf_counter()
        code = ""
        try:
            async with AsyncExitStack() as held:
                answer = await self._send(call, timeout, held)
                if answer.status == _UNAUTHORIZED:  # what was rotated meanwhile
                    answer.release()
                    await self.access.reload()
                    answer = await self._send(call, timeout, held)
                code = str(answer.status)
                await held.enter_async_context(answer)
                if answer.status not in _OK:
                    raise _refusal(answer, await answer.read())
                if answer.content_type != JSON:
                    raise ApiUnavailable(f"what answered {code} without JSON is no API server")
                yield answer
        except (OSError, TimeoutError, aiohttp.ClientError, OpenApiException) as error:
            raise ApiUnavailable(f"the API server does not answer: {_why(error)}") from None
        finally:
            self._called(call.verb, call.label, code or "none", time.perf_counter() - began)

    async def _send(
        self, call: Call, timeout: aiohttp.ClientTimeout, held: AsyncExitStack
    ) -> aiohttp.ClientResponse:
        """An answer of any status, on connections that are held until it was read."""
        authorization = await self.access.authorization()
        connections = await held.enter_async_context(self._lender.lend())
        path = call.resource.path(self.namespace, call.name, call.subresource)
        url = f"{self.access.configuration.host}{path}"
        if call.query:
            url = f"{url}?{urlencode(call.query)}"
        headers = {hdrs.ACCEPT: JSON, hdrs.CONTENT_TYPE: call.content_type}
        if authorization:
            headers[hdrs.AUTHORIZATION] = authorization
        body = None if call.body is None else msgspec.to_builtins(call.body)
        call.fence()
        try:
            said = await connections.request(
                _METHODS[call.verb], url, headers=headers, body=body, _request_timeout=timeout
            )
        except (OSError, aiohttp.ClientError, OpenApiException):  # some are ValueErrors, too
            raise
        except ValueError:
            raise ApiUnavailable(f"{self.access.where} holds what no request can") from None
        answer: aiohttp.ClientResponse = said.response
        return answer


def _strict(manager: str) -> dict[str, str]:
    return {"fieldManager": manager, "fieldValidation": "Strict"}


def _refusal(answer: aiohttp.ClientResponse, body: bytes) -> ApiRefused | ApiUnavailable:
    try:
        status = msgspec.json.decode(body, type=Status)
    except (ValueError, RecursionError):
        status = Status()  # a proxy in between, or a server that is ending
    code = answer.status
    if any(cause.reason == _TOO_LARGE for cause in status.details.causes):
        return ApiExpired(code, status.reason, status.message)
    if code == _TOO_MANY or code >= _SERVER_ERROR:
        return ApiUnavailable(
            f"the API server answered {code} {status.reason or answer.reason}",
            _retry_after(answer.headers.get(hdrs.RETRY_AFTER), code),
        )
    refused = _REFUSALS.get(code, ApiRefused)
    message = status.message
    if code == _NOT_FOUND and not status.reason:  # no object is missing: nothing is served there
        message = "no such kind of object is known there; are the CRDs installed?"
    return refused(code, status.reason or answer.reason or "", message, status.details.causes)


def _retry_after(text: str | None, code: int) -> float | None:
    """Seconds; a server that says nothing is asked again only if it did nothing (429)."""
    if text is not None and text.isascii() and text.isdigit():
        return max(float(text), _RETRY_SECONDS)
    return _RETRY_SECONDS if code == _TOO_MANY else None


def _why(error: Exception) -> str:
    """Enough for a person, and nothing of what was sent."""
    if isinstance(error, TimeoutError):
        return "timed out"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"cannot connect to {error.host}:{error.port}: {error.strerror or error.os_error}"
    return type(error).__name__


async def _lines(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Whole lines. A line without an end, at the end, is half an event: it is left."""
    rest = b""
    async for chunk in content.iter_any():
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            if line:
                yield line
        if len(rest) > _LINE_BYTES:
            raise ApiExpired(_OK.start, "TooLong", "an event that only a list can tell")
