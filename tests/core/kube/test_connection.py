"""Sockets that notice a peer which vanished, and a way past or through a proxy."""

import asyncio
import base64
import socket
from pathlib import Path

import pytest

from ingest_core.kube.access import load
from ingest_core.kube.client import Api
from ingest_core.kube.resources import CAMERAS
from tests.cluster.api_server import write_kubeconfig
from tests.fakes.kube_stand_in import TOKEN, called_api, said, stand_in, stream

ELSEWHERE = "http://api.example:6443"  # an address that only the proxy would know


def connected(api: Api) -> list[socket.socket]:
    """The sockets of what is being asked."""
    session = api._lender._current.pool_manager
    assert session is not None
    transports = [one.transport for one in session.connector._acquired]  # type: ignore[union-attr]
    return [transport.get_extra_info("socket") for transport in transports if transport]


@pytest.mark.parametrize(
    ("level", "name", "value"),
    [
        ("SOL_SOCKET", "SO_KEEPALIVE", 1),
        ("IPPROTO_TCP", "TCP_KEEPIDLE", 10),
        ("IPPROTO_TCP", "TCP_KEEPINTVL", 5),
        ("IPPROTO_TCP", "TCP_KEEPCNT", 3),
        ("IPPROTO_TCP", "TCP_USER_TIMEOUT", 30_000),
        ("IPPROTO_TCP", "TCP_NODELAY", 1),
    ],
)
async def test_a_watch_has_a_socket_that_notices_within_half_a_minute(
    tmp_path: Path, level: str, name: str, value: int
) -> None:
    if not hasattr(socket, name):
        pytest.skip(f"this system has no {name}")
    async with (
        stand_in(stream(b"a\n")) as server,
        called_api(server.url, tmp_path) as api,
        api.watch(CAMERAS, {}, 300.0) as lines,
    ):
        await anext(lines)
        (one,) = connected(api)
        assert one.getsockopt(getattr(socket, level), getattr(socket, name)) == value


async def test_a_call_needs_no_thread(tmp_path: Path) -> None:
    """Which aiohttp takes twice for each, when it is to trust the environment."""
    async with stand_in(said(200)) as server, called_api(server.url, tmp_path) as api:
        await api.get(CAMERAS)
        assert asyncio.get_running_loop()._default_executor is None  # type: ignore[attr-defined]


async def test_a_login_in_netrc_is_not_sent_in_the_tokens_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password hunter2\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    async with stand_in(said(200)) as server, called_api(server.url, tmp_path) as api:
        await api.get(CAMERAS)
    assert server.asked[0].headers["authorization"] == f"Bearer {TOKEN}"


async def test_the_environments_proxy_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stand_in(said(200)) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url.replace("http://", "http://me:secret@"))
        async with called_api(ELSEWHERE, tmp_path) as api:
            await api.get(CAMERAS)
    assert proxy.asked[0].path == f"{ELSEWHERE}{CAMERAS.path('ns')}"
    login = base64.b64encode(b"me:secret").decode()
    assert proxy.asked[0].headers["proxy-authorization"] == f"Basic {login}"


async def test_a_host_that_needs_no_proxy_is_asked_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "example.com,127.0.0.1")
    async with stand_in(said(200)) as server, called_api(server.url, tmp_path) as api:
        assert await api.get(CAMERAS) == b"{}"


async def test_the_kubeconfigs_proxy_comes_before_the_environments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    async with stand_in(said(200)) as proxy:
        kubeconfig = tmp_path / "kubeconfig"
        write_kubeconfig(kubeconfig, ELSEWHERE, tmp_path, {"token": TOKEN})
        named = f'"server": "{ELSEWHERE}", "proxy-url": "{proxy.url}"'
        text = kubeconfig.read_text().replace(f'"server": "{ELSEWHERE}"', named)
        kubeconfig.write_text(text)
        async with Api(await load(str(kubeconfig), {})) as api:
            await api.get(CAMERAS)
    assert proxy.asked[0].path.startswith(ELSEWHERE)
