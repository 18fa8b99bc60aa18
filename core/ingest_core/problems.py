"""Every refusal over HTTP as `application/problem+json` (RFC 9457), without exception.

The type of an error decides its status and the stable URN of its problem; the text is for people.
What nobody foresaw is a 500 that says nothing of its cause: that is in the log. An answer that has
begun cannot become a problem any more, so its connection is cut and the client sees the loss.
"""

import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import msgspec
import structlog
from aiohttp import hdrs, web
from aiohttp.http_exceptions import LineTooLong

from ingest_core import errors
from ingest_core.credentials import redact
from ingest_core.errors import Problem

CONTENT_TYPE: Final = "application/problem+json"
URN: Final = "urn:camera-ingest:problem:"
BLANK: Final = "about:blank"  # RFC 9457, 4.2.1: the status says it all
RETRY_AFTER: Final = 5  # seconds, where the error itself does not know better
WORKER_RETRY_AFTER: Final = 2  # a worker that is lost is replaced within seconds

log: structlog.stdlib.BoundLogger = structlog.get_logger()

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Details(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The members of RFC 9457, and `errors`: each broken rule of a body."""

    type: str
    title: str
    status: int
    detail: str = ""
    instance: str | None = None
    errors: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class _Kind:
    status: int
    slug: str
    title: str


_KINDS: Final[Mapping[type[errors.IngestError], _Kind]] = {
    errors.InvalidManifest: _Kind(422, "invalid-camera", "The camera breaks a rule"),
    errors.InvalidQuery: _Kind(422, "invalid-query", "A parameter of the query breaks a rule"),
    errors.UnknownCamera: _Kind(404, "unknown-camera", "No such camera"),
    errors.CameraExists: _Kind(409, "camera-exists", "The camera exists already"),
    errors.CameraChanged: _Kind(409, "camera-changed", "The camera was changed meanwhile"),
    errors.ManagedElsewhere: _Kind(409, "managed-elsewhere", "The camera is kept elsewhere"),
    errors.QuotaExceeded: _Kind(403, "quota-exceeded", "The namespace may not hold more"),
    errors.AdmissionRefused: _Kind(422, "refused-by-admission", "The cluster refuses the camera"),
    errors.NotAllowed: _Kind(403, "not-allowed", "The gateway lacks a permission"),
    errors.SecretMissing: _Kind(503, "secret-missing", "A Secret of the camera is not there"),
    errors.RegistryInUse: _Kind(503, "registry-in-use", "Another process has the cameras"),
    errors.RegistryUnavailable: _Kind(
        503, "registry-unavailable", "The cameras cannot be read or written now"
    ),
    errors.WorkerUnreachable: _Kind(503, "worker-unreachable", "The worker cannot be reached"),
    errors.WorkerSilent: _Kind(504, "worker-silent", "The worker does not answer in time"),
    errors.WorkerBusy: _Kind(503, "worker-busy", "The worker has too much to do"),
    errors.NotCaptured: _Kind(421, "not-captured", "This worker does not have the camera"),
    errors.FrameUnavailable: _Kind(503, "frame-unavailable", "No frame that is fresh enough"),
    errors.FrameGone: _Kind(404, "frame-gone", "The ring does not hold that frame"),
    errors.FrameUndecodable: _Kind(502, "frame-undecodable", "The camera's frame is no picture"),
    errors.PushRefused: _Kind(400, "push-refused", "The frame was not taken"),
}
_HEALS: Final = (errors.SecretMissing, errors.RegistryInUse, errors.RegistryUnavailable)


def problem(
    status: int,
    detail: str = "",
    *,
    type_: str = BLANK,
    title: str | None = None,
    instance: str | None = None,
    problems: tuple[Problem, ...] = (),
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    """Write one problem. `title` defaults to the status's own phrase."""
    details = Details(
        type=type_,
        title=HTTPStatus(status).phrase if title is None else title,
        status=status,
        detail=_encodable(detail),
        instance=instance,
        errors=problems,
    )
    return web.Response(
        status=status,
        body=msgspec.json.encode(details),
        content_type=CONTENT_TYPE,
        headers={hdrs.CACHE_CONTROL: "no-store", **(headers or {})},
    )


def problem_of(error: errors.IngestError, instance: str | None = None) -> web.Response | None:
    """The problem that an error of ours means; None: it was never meant for a client."""
    kind = next((_KINDS[type_] for type_ in type(error).__mro__ if type_ in _KINDS), None)
    if kind is None:
        return None
    status = error.status if isinstance(error, errors.PushRefused) else kind.status
    return problem(
        status,
        str(error),
        type_=URN + kind.slug,
        title=kind.title,
        instance=instance,
        problems=error.problems if isinstance(error, errors.InvalidManifest) else (),
        headers=_headers(error, status),
    )


def problem_of_http(error: web.HTTPException, request: web.BaseRequest) -> web.Response:
    """What aiohttp or a handler raised, with its status and headers, as a problem."""
    kept = {
        name: value
        for name, value in error.headers.items()
        if name not in (hdrs.CONTENT_TYPE, hdrs.CONTENT_LENGTH)
    }
    return problem(
        error.status, _detail(error, request), instance=instance_of(request), headers=kept
    )


def instance_of(request: web.BaseRequest) -> str:
    """The path of a request as a URI reference: no query, no login."""
    return redact(request.rel_url.raw_path)


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn every error of the handlers within into a problem, and answer OPTIONS.

    Raises:
        ConnectionResetError: The answer had begun, or the client is gone.
        asyncio.CancelledError: As it came.
    """
    try:
        return await handler(request)
    except ConnectionError:
        raise
    except Exception as error:  # noqa: BLE001 - one request must not end the program
        response = _answer(request, error)
    if request.writer.output_size > 0:
        raise ConnectionResetError("the answer has begun")
    return response


class ProblemProtocol(web.RequestHandler):
    """Answers what goes wrong before a request is routed: aiohttp's own would be plain text.

    aiohttp would also quote the offending line, which may hold a login, in its answer and its log.
    """

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = HTTPStatus.INTERNAL_SERVER_ERROR,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - aiohttp's text, which may quote the request
    ) -> web.StreamResponse:
        """A problem for a request that was not understood, or an error outside the middleware."""
        if request.writer.output_size > 0 or isinstance(exc, ConnectionError):
            raise ConnectionResetError("nobody can be answered any more")
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            log.error("http_request_failed", exc_info=exc)
            response = problem(status)
        elif isinstance(exc, LineTooLong):
            response = problem(status, "a line of the request's head is too long")
        else:
            response = problem(status, "the request is not HTTP/1.1")
        response.force_close()
        return response

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send; what was raised outside the middleware (a wrong `Expect`) becomes a problem."""
        if isinstance(resp, web.HTTPException):
            resp = problem_of_http(resp, request)
        return await super().finish_response(request, resp, start_time)


def _answer(request: web.Request, error: Exception) -> web.Response:
    if isinstance(error, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted({*error.allowed_methods, hdrs.METH_OPTIONS}))
        if request.method == hdrs.METH_OPTIONS:
            return web.Response(status=HTTPStatus.NO_CONTENT, headers={hdrs.ALLOW: allowed})
        error.headers[hdrs.ALLOW] = allowed
    if isinstance(error, web.HTTPException):
        return problem_of_http(error, request)
    instance = instance_of(request)
    if isinstance(error, web.RequestPayloadError):
        detail = "the body is not framed as its headers say"
        response = problem(HTTPStatus.BAD_REQUEST, detail, instance=instance)
        response.force_close()
        return response
    known = problem_of(error, instance) if isinstance(error, errors.IngestError) else None
    if known is not None:
        return known
    log.error("http_request_failed", method=request.method, path=instance, exc_info=error)
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, instance=instance)


def _headers(error: errors.IngestError, status: int) -> dict[str, str]:
    headers: dict[str, str] = {}
    if isinstance(error, errors.FrameUnavailable | errors.PushRefused):
        if error.retry_after is not None:
            headers[hdrs.RETRY_AFTER] = str(error.retry_after)
    elif isinstance(error, errors.WorkerFailed):
        headers[hdrs.RETRY_AFTER] = str(WORKER_RETRY_AFTER)
    elif isinstance(error, errors.ApiUnavailable) and error.retry_after is not None:
        headers[hdrs.RETRY_AFTER] = str(max(1, math.ceil(error.retry_after)))
    elif isinstance(error, _HEALS):
        headers[hdrs.RETRY_AFTER] = str(RETRY_AFTER)
    if status == HTTPStatus.UNAUTHORIZED:
        headers[hdrs.WWW_AUTHENTICATE] = 'Bearer realm="camera-ingest"'
    return headers


def _detail(error: web.HTTPException, request: web.BaseRequest) -> str:
    if error.text and error.text != f"{error.status}: {error.reason}":
        return error.text
    if error.status == HTTPStatus.NOT_FOUND:
        return f"there is no call {request.method} {instance_of(request)}"
    if error.status == HTTPStatus.METHOD_NOT_ALLOWED:
        return f"{instance_of(request)} does not take {request.method}"
    return ""


def _encodable(text: str) -> str:
    return text.encode(errors="replace").decode()
