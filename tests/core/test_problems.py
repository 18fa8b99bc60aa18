"""Every refusal is a problem, over a real socket; and none of them says what it must not."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgspec
import pytest
import structlog
from aiohttp import web

from ingest_core import errors
from ingest_core.http import Listen, serve
from ingest_core.problems import CONTENT_TYPE, URN, Details, problem_of, problems

SECRET = "hunter2-secret"

RAISED: tuple[tuple[errors.IngestError, int, str], ...] = (
    (errors.InvalidManifest(errors.Problem("spec.weight", "0", "≥ 1")), 422, "invalid-camera"),
    (errors.InvalidQuery(errors.Problem("?width", "'0'", "16 or more")), 422, "invalid-query"),
    (errors.UnknownCamera("lobby"), 404, "unknown-camera"),
    (errors.CameraExists("lobby"), 409, "camera-exists"),
    (errors.CameraChanged("lobby"), 409, "camera-changed"),
    (errors.ManagedElsewhere("lobby", "site.yaml"), 409, "managed-elsewhere"),
    (errors.QuotaExceeded("exceeded quota: few"), 403, "quota-exceeded"),
    (errors.AdmissionRefused("denied"), 422, "refused-by-admission"),
    (errors.NotAllowed("must be allowed to create secrets"), 403, "not-allowed"),
    (errors.SecretMissing("login", "username"), 503, "secret-missing"),
    (errors.RegistryInUse("in use"), 503, "registry-in-use"),
    (errors.RegistryUnavailable("disk full"), 503, "registry-unavailable"),
    (errors.ApiUnavailable("no answer"), 503, "registry-unavailable"),
    (errors.WorkerUnreachable("refused"), 503, "worker-unreachable"),
    (errors.WorkerSilent("silent"), 504, "worker-silent"),
    (errors.WorkerBusy("64 wait"), 503, "worker-busy"),
    (errors.NotCaptured("lobby"), 421, "not-captured"),
    (errors.FrameUnavailable("stale", 3), 503, "frame-unavailable"),
    (errors.FrameGone("gone"), 404, "frame-gone"),
    (errors.FrameUndecodable("broken"), 502, "frame-undecodable"),
    (errors.PushRefused(429, "too fast", 2), 429, "push-refused"),
    (errors.PushRefused(401, "wrong token"), 401, "push-refused"),
)


@pytest.fixture(autouse=True)
def logged() -> Iterator[list[Any]]:
    with structlog.testing.capture_logs() as lines:
        yield lines


def app_raising(error: BaseException) -> web.Application:
    async def fail(_request: web.Request) -> web.StreamResponse:
        raise error

    app = web.Application(middlewares=[problems])
    app.router.add_get("/fails/{id}", fail)
    app.router.add_post("/fails/{id}", fail)
    return app


@asynccontextmanager
async def client(app: web.Application) -> AsyncIterator[aiohttp.ClientSession]:
    async with (
        serve(app, Listen("127.0.0.1", 0)) as (address,),
        aiohttp.ClientSession(f"http://{address}") as session,
    ):
        yield session


async def details(response: aiohttp.ClientResponse) -> Details:
    assert response.content_type == CONTENT_TYPE
    assert response.headers["Cache-Control"] == "no-store"
    told = msgspec.json.decode(await response.read(), type=Details)
    assert told.status == response.status
    return told


async def raw(app: web.Application, request: bytes) -> tuple[bytes, Details]:
    """Send bytes that no client would; give the head and the problem that came back."""
    async with serve(app, Listen("127.0.0.1", 0)) as (address,):
        reader, writer = await asyncio.open_connection(address.host, address.port)
        writer.write(request)
        answer = await asyncio.wait_for(reader.read(), 5)
        writer.close()
        await writer.wait_closed()
    head, _, body = answer.partition(b"\r\n\r\n")
    assert f"Content-Type: {CONTENT_TYPE}".encode() in head
    return head, msgspec.json.decode(body, type=Details)


def kinds(root: type[errors.IngestError]) -> set[type[errors.IngestError]]:
    return {kind for child in root.__subclasses__() for kind in {child, *kinds(child)}}


@pytest.mark.parametrize(("error", "status", "slug"), RAISED)
async def test_each_error_of_ours_has_its_status_and_its_type(
    error: errors.IngestError, status: int, slug: str
) -> None:
    async with client(app_raising(error)) as session, session.get("/fails/lobby?a=b") as response:
        told = await details(response)
    assert (told.status, told.type) == (status, URN + slug)
    assert told.title
    assert told.detail == str(error)
    assert told.instance == "/fails/lobby"


def test_every_error_that_a_client_can_cause_is_mapped() -> None:
    mapped = {type(error) for error, _, _ in RAISED}
    internal: set[type] = {
        errors.CaptureError,
        errors.CannotListen,
        errors.LeaseLost,
        errors.WorkerFailed,
    }
    internal |= {errors.Superseded, errors.ApiRefused} | kinds(errors.ApiRefused)
    ours = {kind for kind in kinds(errors.IngestError) if kind.__module__ == errors.__name__}
    assert ours - internal <= mapped


async def test_a_broken_rule_is_told_with_its_field_its_value_and_the_rule() -> None:
    error = errors.InvalidManifest(errors.Problem("spec.weight", "0", "must be 1 or more"))
    async with client(app_raising(error)) as session, session.get("/fails/x") as response:
        body = await response.json(content_type=CONTENT_TYPE)
    assert body["errors"] == [{"field": "spec.weight", "value": "0", "rule": "must be 1 or more"}]


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (errors.FrameUnavailable("stale", 3), "3"),
        (errors.PushRefused(429, "too fast", 2), "2"),
        (errors.RegistryUnavailable("full"), "5"),
        (errors.SecretMissing("login", "token"), "5"),
        (errors.PushRefused(413, "too big"), None),
        (errors.UnknownCamera("x"), None),
    ],
)
def test_what_heals_says_when_to_ask_again(error: errors.IngestError, seconds: str | None) -> None:
    response = problem_of(error)
    assert response is not None
    assert response.headers.get("Retry-After") == seconds


async def test_a_refused_token_asks_for_one() -> None:
    error = errors.PushRefused(401, "wrong token")
    async with client(app_raising(error)) as session, session.get("/fails/x") as response:
        assert response.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    "error", [RuntimeError(SECRET), errors.CaptureError(errors.Failure.STALLED, SECRET)]
)
async def test_an_unforeseen_error_is_a_500_that_tells_nothing_and_is_logged(
    error: Exception, logged: list[Any]
) -> None:
    async with client(app_raising(error)) as session, session.get("/fails/x") as response:
        told = await details(response)
        assert SECRET not in await response.text()
    assert (told.status, told.type, told.detail) == (500, "about:blank", "")
    assert [(line["event"], line["exc_info"]) for line in logged] == [
        ("http_request_failed", error)
    ]


async def test_a_path_without_a_call_is_a_404() -> None:
    async with client(app_raising(RuntimeError())) as session, session.get("/nowhere") as response:
        told = await details(response)
    assert (told.status, told.title) == (404, "Not Found")
    assert told.detail == "there is no call GET /nowhere"


async def test_a_wrong_method_is_a_405_that_lists_the_right_ones() -> None:
    async with (
        client(app_raising(RuntimeError())) as session,
        session.delete("/fails/x") as response,
    ):
        told = await details(response)
    assert told.detail == "/fails/x does not take DELETE"
    assert response.headers["Allow"] == "GET, HEAD, OPTIONS, POST"


async def test_options_lists_the_methods_of_a_path() -> None:
    async with client(app_raising(RuntimeError())) as session, session.options("/fails/x") as told:
        assert (told.status, await told.read()) == (204, b"")
        assert told.headers["Allow"] == "GET, HEAD, OPTIONS, POST"


async def test_head_answers_as_get_would_without_a_body() -> None:
    app = app_raising(errors.UnknownCamera("x"))
    async with client(app) as session, session.head("/fails/x") as response:
        assert (response.status, response.content_type) == (404, CONTENT_TYPE)
        assert int(response.headers["Content-Length"]) > 0
        assert await response.read() == b""


async def test_what_a_handler_raises_keeps_its_text_and_its_headers() -> None:
    error = web.HTTPUnsupportedMediaType(text="send JSON", headers={"Accept": "application/json"})
    async with client(app_raising(error)) as session, session.post("/fails/x") as response:
        told = await details(response)
    assert (told.status, told.detail) == (415, "send JSON")
    assert response.headers["Accept"] == "application/json"


async def test_a_login_in_a_path_is_not_said_again() -> None:
    app = app_raising(RuntimeError())
    async with client(app) as session:
        url = f"/rtsp://admin:{SECRET}@camera/x"
        async with session.get(url) as response:
            assert SECRET not in await response.text()
            assert response.status == 404


async def test_text_that_is_no_unicode_is_still_answered() -> None:
    app = app_raising(errors.UnknownCamera("\udc80"))
    async with client(app) as session, session.get("/fails/x") as response:
        assert (await details(response)).status == 404


@pytest.mark.parametrize(
    "request_",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",  # a TLS hello
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nAuthorization " + SECRET.encode() + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX: " + SECRET.encode() * 1000 + b"\r\n\r\n",
        b"GET /" + b"a" * 10000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 200 + b"\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
)
async def test_what_is_not_http_is_a_400_that_quotes_nothing(
    request_: bytes, logged: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    head, told = await raw(app_raising(RuntimeError()), request_)
    assert head.startswith(b"HTTP/1.0 400 ")
    assert (told.status, told.type, told.instance) == (400, "about:blank", None)
    assert SECRET not in told.detail + str(logged) + caplog.text


async def test_an_expectation_that_nobody_can_meet_is_a_problem() -> None:
    request = b"GET /fails/x HTTP/1.1\r\nHost: x\r\nExpect: tea\r\nConnection: close\r\n\r\n"
    head, told = await raw(app_raising(RuntimeError()), request)
    assert head.startswith(b"HTTP/1.1 417 ")
    assert told.status == 417


async def test_a_body_that_breaks_its_framing_is_a_400() -> None:
    async def read(request: web.Request) -> web.Response:
        return web.Response(body=await request.read())

    app = web.Application(middlewares=[problems])
    app.router.add_post("/", read)
    head = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    _, told = await raw(app, head + b"zz\r\n" + SECRET.encode())
    assert told.status == 400
    assert SECRET not in told.detail


async def test_an_answer_that_has_begun_is_cut_and_never_followed_by_a_problem() -> None:
    async def stream(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(b"half")
        raise errors.UnknownCamera("x")

    app = web.Application(middlewares=[problems])
    app.router.add_get("/", stream)
    async with client(app) as session, session.get("/") as response:
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()
