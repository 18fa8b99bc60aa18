"""However a call breaks, it is `ApiUnavailable`, and says nothing of what was sent."""

import asyncio
import inspect
import socket
import ssl
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import client_exceptions
from aiohttp.client_reqrep import ConnectionKey, RequestInfo
from kubernetes.aio.client import exceptions as kubernetes_exceptions
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from ingest_core.errors import ApiConflict, ApiUnavailable
from ingest_core.kube.access import load
from ingest_core.kube.client import CALL_SECONDS, Api
from ingest_core.kube.resources import SECRETS
from tests.cluster.api_server import write_kubeconfig
from tests.fakes import kube_stand_in as stand_ins
from tests.fakes.authority import authority
from tests.fakes.kube_stand_in import TOKEN, Say, called_api, raw_end, said, stand_in
from tests.fakes.virtual_time import in_virtual_time

PASSWORD = "hunter2"
BODY = {"metadata": {"name": "login"}, "stringData": {"password": PASSWORD}}
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


async def broken(api: Api) -> ApiUnavailable:
    """Create a Secret; gives the error, which tells neither the token nor the Secret."""
    with pytest.raises(ApiUnavailable) as raised:
        await api.create(SECRETS, BODY, manager="m")
    told = "".join(traceback.format_exception(raised.value)) + repr(raised.value)
    assert TOKEN not in told
    assert PASSWORD not in told
    return raised.value


BREAKS: dict[str, Say] = {
    "no answer": raw_end(),
    "a reset": stand_ins.reset,
    "no HTTP": raw_end(b"SSH-2.0-OpenSSH_9.2\r\n"),
    "half a status line": raw_end(b"HTTP/1.1 20"),
    "half a head": raw_end(OK),
    "half a body": raw_end(OK + b"Content-Length: 100\r\n\r\n{"),
    "half a refusal": raw_end(b"HTTP/1.1 404 Not Found\r\nContent-Length: 100\r\n\r\n{"),
    "half a chunk": raw_end(OK + b"Transfer-Encoding: chunked\r\n\r\n10\r\n{"),
    "a chunk of no size": raw_end(OK + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n"),
    "a length that is none": raw_end(OK + b"Content-Length: many\r\n\r\n{}"),
    "a header without an end": raw_end(OK + b"X: " + b"x" * 100_000),
    "a header that is none": raw_end(OK + b"X\x00: x\r\n\r\n"),
    "a status that is none": raw_end(b"HTTP/1.1 abc OK\r\n\r\n"),
    "gzip that is none": said(200, b"xx", Content_Encoding="gzip"),
    "a redirect to itself": said(307, Location="/"),
    "a redirect to no URL": said(307, Location="http://[half"),
    "a redirect to another protocol": said(307, Location="ftp://127.0.0.1/"),
    "a redirect to nobody": said(307, Location="http://127.0.0.1:1/"),
}


@pytest.mark.parametrize("how", BREAKS)
async def test_an_answer_that_breaks_is_none(tmp_path: Path, how: str) -> None:
    async with stand_in(BREAKS[how]) as server, called_api(server.url, tmp_path) as api:
        await broken(api)
        server.plan = [said(201)]
        assert await api.create(SECRETS, BODY, manager="m") == b"{}"  # the next call is whole


@in_virtual_time
async def _hangs(folder: Path, say: Say) -> None:
    async with stand_in(say) as server, called_api(server.url, folder) as api:
        now = asyncio.get_running_loop().time
        began = now()
        error = await broken(api)
        assert str(error).endswith("timed out")
        assert now() - began == pytest.approx(CALL_SECONDS, abs=1)  # aiohttp rounds up


@pytest.mark.parametrize(
    "say",
    [
        stand_ins.hang,
        stand_ins.raw(OK),
        stand_ins.raw(OK + b"Content-Length: 9\r\n\r\n{"),
        stand_ins.raw(b"HTTP/1.1 500 Oh\r\nContent-Length: 9\r\n\r\n{"),
    ],
)
def test_a_server_that_hangs_costs_the_time_of_a_call(tmp_path: Path, say: Say) -> None:
    _hangs(tmp_path, say)


async def test_a_create_whose_connection_ends_is_never_sent_twice(tmp_path: Path) -> None:
    """It may have been done: only the caller can look."""
    async with stand_in(said(201), raw_end()) as server, called_api(server.url, tmp_path) as api:
        await api.create(SECRETS, BODY, manager="m")
        await broken(api)
        assert len(server.asked) == 2


async def test_an_update_whose_connection_ends_may_conflict_with_itself(tmp_path: Path) -> None:
    """Aiohttp sends it again: whoever writes looks, and finds what it wrote."""
    plan = [said(200), raw_end(), stand_ins.refusal(409, "Conflict", "it is newer")]
    async with stand_in(*plan) as server, called_api(server.url, tmp_path) as api:
        await api.update(SECRETS, "login", BODY, manager="m")
        with pytest.raises(ApiConflict):
            await api.update(SECRETS, "login", BODY, manager="m")
        assert len(server.asked) == 3


async def test_nobody_listens(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        async with called_api(url, tmp_path) as api:
            assert f"cannot connect to {url.removeprefix('http://')}: " in str(await broken(api))


async def test_a_host_that_has_no_address(tmp_path: Path) -> None:
    async with called_api("http://no-such-host.invalid:6443", tmp_path) as api:
        assert "cannot connect to no-such-host.invalid:6443: " in str(await broken(api))


@pytest.mark.parametrize(
    "url",
    [
        "http://",
        "no-url",
        "ftp://127.0.0.1",
        "http://127.0.0.1:port",
        "http://[half",
        "http://admin:hunter2@127.0.0.1:1",
        "http://" + "x" * 70 + ".example",
        "http://a..b",
    ],
)
async def test_an_address_that_is_none(tmp_path: Path, url: str) -> None:
    with pytest.raises(ApiUnavailable) as raised:
        async with called_api(url, tmp_path) as api:
            await api.get(SECRETS)
    assert PASSWORD not in str(raised.value)


@pytest.mark.parametrize("token", ["line\r\nInjected: x", "zero\x00", "line\nbreak"])
async def test_a_token_that_no_header_can_hold_is_not_sent(tmp_path: Path, token: str) -> None:
    async with stand_in(said(200)) as server:
        kubeconfig = tmp_path / "kubeconfig"
        write_kubeconfig(kubeconfig, server.url, tmp_path, {"token": token})
        async with Api(await load(str(kubeconfig), {})) as api:
            with pytest.raises(ApiUnavailable, match=str(kubeconfig)) as raised:
                await api.get(SECRETS)
    assert token.split(maxsplit=1)[0] not in str(raised.value)
    assert not server.asked


# TLS


async def test_a_server_of_another_authority_is_not_spoken_to(tmp_path: Path) -> None:
    other = authority(tmp_path / "other")
    theirs = authority(tmp_path / "theirs").server("server")
    async with stand_in(said(200), tls=theirs) as server:
        kubeconfig = tmp_path / "kubeconfig"
        write_kubeconfig(kubeconfig, server.url, other.certificate, {"token": TOKEN})
        async with Api(await load(str(kubeconfig), {})) as api:
            assert "certificate verify failed" in str(await broken(api))
        assert not server.asked


async def test_a_client_certificate_is_shown_to_the_server(tmp_path: Path) -> None:
    ours = authority(tmp_path / "ours")
    tls = ours.server("server")
    tls.verify_mode = ssl.CERT_REQUIRED
    tls.load_verify_locations(ours.certificate)
    ours.server("client")
    login = {"client-certificate": "ours/client.pem", "client-key": "ours/client.key"}
    async with stand_in(said(201), tls=tls) as server:
        kubeconfig = tmp_path / "kubeconfig"
        for user, works in ((login, True), ({"token": TOKEN}, False)):
            write_kubeconfig(kubeconfig, server.url, ours.certificate, user)
            async with Api(await load(str(kubeconfig), {})) as api:
                if works:
                    await api.create(SECRETS, BODY, manager="m")
                else:
                    await broken(api)
        assert len(server.asked) == 1
        assert "authorization" not in server.asked[0].headers


async def test_a_server_that_speaks_no_tls(tmp_path: Path) -> None:
    async def speak(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(speak, "127.0.0.1", 0)
    url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    kubeconfig = tmp_path / "kubeconfig"
    ours = authority(tmp_path / "ours").certificate
    write_kubeconfig(kubeconfig, url, ours, {"token": TOKEN})
    async with server, Api(await load(str(kubeconfig), {})) as api:
        await broken(api)


@pytest.mark.parametrize("field", ["certificate-authority", "client-certificate", "client-key"])
async def test_certificates_that_are_none_are_told_by_their_kubeconfig(
    tmp_path: Path, field: str
) -> None:
    good = authority(tmp_path / "ca")
    good.server("client")
    files = {
        "certificate-authority": good.certificate,
        "client-certificate": good.directory / "client.pem",
        "client-key": good.directory / "client.key",
    }
    files[field].write_text("rubbish")
    kubeconfig = tmp_path / "kubeconfig"
    user = {"client-certificate": str(files["client-certificate"])}
    user["client-key"] = str(files["client-key"])
    write_kubeconfig(kubeconfig, "https://127.0.0.1:1", files["certificate-authority"], user)
    access = await load(str(kubeconfig), {})
    with pytest.raises(ApiUnavailable, match=f"{kubeconfig} names certificates that are none"):
        Api(access)


# Every exception that the libraries may raise

_KEY = ConnectionKey(
    "127.0.0.1", 6443, is_ssl=True, ssl=True, proxy=None, proxy_auth=None, proxy_headers_hash=None
)
_HEADERS = CIMultiDictProxy(CIMultiDict({"Authorization": f"Bearer {TOKEN}"}))
_INFO = RequestInfo(URL("https://127.0.0.1"), "POST", _HEADERS, URL("https://127.0.0.1"))
_OS_ERROR = OSError(111, "Connection refused")
_NOT_RAISED = {"WSMessageTypeError"}  # of web sockets, by calls that are not ours


def _raised_by_aiohttp() -> dict[str, Callable[[], Exception]]:
    """One of each class, as aiohttp makes it."""
    made: dict[str, Callable[[], Exception]] = {}
    for name in client_exceptions.__all__:
        kind = getattr(client_exceptions, name)
        if name in _NOT_RAISED:
            continue
        arguments: tuple[Any, ...] = ("said by aiohttp",)
        if issubclass(kind, client_exceptions.ClientResponseError):
            arguments = (_INFO, ())
        elif kind is client_exceptions.ClientConnectorCertificateError:
            arguments = (_KEY, ssl.CertificateError("no"))
        elif issubclass(kind, client_exceptions.ClientConnectorError):
            arguments = (_KEY, _OS_ERROR)
        elif kind is client_exceptions.ServerFingerprintMismatch:
            arguments = (b"expected", b"got", "127.0.0.1", 6443)
        made[name] = partial(kind, *arguments)
    return made


def _raised_by_kubernetes() -> dict[str, Callable[[], Exception]]:
    classes = inspect.getmembers(kubernetes_exceptions, inspect.isclass)
    return {
        name: partial(kind, "said by kubernetes")
        for name, kind in classes
        if issubclass(kind, Exception) and kind is not Exception
    }


def _raised_by_python() -> dict[str, Callable[[], Exception]]:
    kinds: list[type[Exception]] = [
        *OSError.__subclasses__(),
        OSError,
        TimeoutError,
        ssl.SSLError,
        ssl.SSLCertVerificationError,
        ssl.SSLEOFError,
        socket.gaierror,
    ]
    return {kind.__name__: partial(kind, 1, "said by Python") for kind in kinds}


RAISED = {**_raised_by_aiohttp(), **_raised_by_kubernetes(), **_raised_by_python()}


class Answer:
    """One whose body cannot be read."""

    status = 200
    content_type = "application/json"

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def __aenter__(self) -> None: ...

    async def __aexit__(self, *_: object) -> None: ...

    async def read(self) -> bytes:
        raise self._error


class Library:
    """In the place of the official client: it raises at the call, or when its answer is read."""

    def __init__(self, error: Exception, *, late: bool) -> None:
        self._error = error
        self._late = late

    async def request(self, *_: object, **__: object) -> SimpleNamespace:
        if not self._late:
            raise self._error
        return SimpleNamespace(response=Answer(self._error))

    async def close(self) -> None: ...


@pytest.mark.parametrize("late", [False, True])
async def test_no_exception_of_the_libraries_gets_through(tmp_path: Path, *, late: bool) -> None:
    async with called_api("http://127.0.0.1:1", tmp_path) as api:
        for name, make in RAISED.items():
            api._lender._current = Library(make(), late=late)  # type: ignore[assignment]
            error = await broken(api)
            assert "said by" not in str(error), name  # in our words, whatever theirs hold


def test_the_walk_has_seen_them_all() -> None:
    known = {*client_exceptions.__all__, *RAISED} - _NOT_RAISED
    assert len(RAISED) == len(known) > 50


async def test_a_bug_is_not_hidden_as_a_server_that_is_away(tmp_path: Path) -> None:
    async with called_api("http://127.0.0.1:1", tmp_path) as api:
        with pytest.raises(TypeError):
            await api.create(SECRETS, {"metadata": object()}, manager="m")
    async with stand_in(said(200)) as server, called_api(server.url, tmp_path) as api:
        await api.get(SECRETS)
        await api._lender.close()
        with pytest.raises(RuntimeError, match="closed"):
            await api.get(SECRETS)
