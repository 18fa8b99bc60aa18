"""Authorities and client certificates are rotated under a program that runs on.

By a server with TLS whose certificate the test changes; and by the real API server, which says
whom it takes its client for.
"""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from ingest_core.errors import ApiUnavailable
from ingest_core.kube.access import REFRESH_SECONDS, load
from ingest_core.kube.client import Api
from ingest_core.kube.resources import CAMERAS, PODS
from tests.cluster.api_server import ApiServer
from tests.cluster.plugin import bare_api_server
from tests.fakes.authority import Authority, authority
from tests.fakes.kube_stand_in import said, stand_in, stream


class Clock:
    """Monotonic seconds that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def write_kubeconfig(folder: Path, url: str) -> Path:
    """Everything in files that can be rotated."""
    user = {"client-certificate": "client.pem", "client-key": "client.key"}
    config: dict[str, Any] = {
        "clusters": [{"name": "c", "cluster": {"server": url, "certificate-authority": "ca.pem"}}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    path = folder / "kubeconfig"
    path.write_text(json.dumps(config))
    return path


class Rotated:
    """A client whose files the test writes, and the clock that it looks at them by."""

    def __init__(self, folder: Path, clients: Authority) -> None:
        self._folder = folder
        self._clients = clients
        self.clock = Clock()

    def trust(self, *authorities: Authority) -> None:
        """Of those that sign servers' certificates."""
        contents = (one.certificate.read_text() for one in authorities)
        (self._folder / "ca.pem").write_text("".join(contents))

    def be(self, name: str, subject: str = "") -> None:
        """Have the client certificate of this one."""
        certificate, key = self._clients.sign(name, subject=subject)
        (self._folder / "client.pem").write_bytes(certificate.read_bytes())
        (self._folder / "client.key").write_bytes(key.read_bytes())

    def wait(self) -> None:
        """So long that the next call looks at the files."""
        self.clock.now += REFRESH_SECONDS + 1

    @asynccontextmanager
    async def api(self, url: str) -> AsyncIterator[Api]:
        access = await load(str(write_kubeconfig(self._folder, url)), {}, self.clock)
        async with Api(access) as api:
            yield api


class Peers:
    """A server that wants client certificates, and knows who came."""

    def __init__(self, clients: Authority, tls: ssl.SSLContext) -> None:
        tls.verify_mode = ssl.CERT_REQUIRED
        tls.load_verify_locations(clients.certificate)
        self.tls = tls
        self.seen: list[str] = []

    async def say(self, writer: asyncio.StreamWriter) -> None:
        certificate: Any = writer.get_extra_info("peercert")
        self.seen += [value for ((key, value),) in certificate["subject"] if key == "commonName"]
        await said(200)(writer)


@pytest.fixture
def old(tmp_path: Path) -> Authority:
    return authority(tmp_path / "old")


@pytest.fixture
def new(tmp_path: Path) -> Authority:
    return authority(tmp_path / "new")


@pytest.fixture
def rotated(tmp_path: Path, old: Authority) -> Rotated:
    """It trusts the old authority, which signed its certificate, too."""
    made = Rotated(tmp_path, old)
    made.trust(old)
    made.be("first")
    return made


async def test_a_client_certificate_that_was_renewed_is_shown_within_a_minute(
    rotated: Rotated, old: Authority
) -> None:
    peers = Peers(old, old.server("server"))
    async with stand_in(peers.say, tls=peers.tls) as server, rotated.api(server.url) as api:
        await api.get(CAMERAS)
        rotated.be("second")
        await api.get(CAMERAS)
        rotated.wait()
        await api.get(CAMERAS)
        await api.get(CAMERAS)
    assert peers.seen == ["first", "first", "second", "second"]


async def test_an_authority_that_is_replaced_is_trusted_within_a_minute(
    rotated: Rotated, old: Authority, new: Authority
) -> None:
    """The operator of a cluster trusts both for a while: no connection fails then."""
    tls = old.server("server")
    say = said(200, Connection="close")
    async with stand_in(say, tls=tls) as server, rotated.api(server.url) as api:
        await api.get(CAMERAS)
        rotated.trust(old, new)
        rotated.wait()
        await api.get(CAMERAS)
        tls.load_cert_chain(*new.sign("server"))
        await api.get(CAMERAS)
        rotated.trust(new)
        rotated.wait()
        await api.get(CAMERAS)


async def test_a_server_whose_authority_is_not_trusted_yet_is_none_until_it_is(
    rotated: Rotated, old: Authority, new: Authority
) -> None:
    tls = new.server("server")
    async with stand_in(said(200), tls=tls) as server, rotated.api(server.url) as api:
        with pytest.raises(ApiUnavailable, match="certificate verify failed"):
            await api.get(CAMERAS)
        rotated.trust(old, new)
        rotated.wait()
        await api.get(CAMERAS)


async def test_what_is_under_way_goes_on_over_the_connection_that_it_began_on(
    rotated: Rotated, old: Authority
) -> None:
    tls = old.server("server")
    async with (
        stand_in(stream(b"a\n"), said(200), tls=tls) as server,
        rotated.api(server.url) as api,
    ):
        async with api.watch(CAMERAS, {}, 300.0) as lines:
            assert await anext(lines) == b"a"
            before = api._lender._current
            rotated.be("second")
            rotated.wait()
            await api.get(PODS)
            assert api._lender._current is not before
            assert before.pool_manager is not None
            assert not before.pool_manager.closed
        assert before.pool_manager.closed, "nobody uses it any more"


async def test_what_was_under_way_for_nobody_is_closed_at_once(
    rotated: Rotated, old: Authority
) -> None:
    tls = old.server("server")
    async with stand_in(said(200), tls=tls) as server, rotated.api(server.url) as api:
        await api.get(PODS)
        before = api._lender._current.pool_manager
        rotated.be("second")
        rotated.wait()
        await api.get(PODS)
        assert before is not None
        assert before.closed


async def test_a_certificate_that_is_half_written_changes_nothing_until_it_is_whole(
    rotated: Rotated, old: Authority, tmp_path: Path
) -> None:
    peers = Peers(old, old.server("server"))
    async with stand_in(peers.say, tls=peers.tls) as server, rotated.api(server.url) as api:
        await api.get(CAMERAS)
        key = (tmp_path / "client.key").read_bytes()
        rotated.be("second")
        whole = (tmp_path / "client.key").read_bytes()
        (tmp_path / "client.key").write_bytes(key)  # which is not of that certificate
        with capture_logs() as logs:
            for _ in range(3):
                rotated.wait()
                await api.get(CAMERAS)
        assert [one["event"] for one in logs] == ["connections_not_renewed"]
        (tmp_path / "client.key").write_bytes(whole)
        rotated.wait()
        await api.get(CAMERAS)
    assert peers.seen == ["first"] * 4 + ["second"]


@pytest.fixture
def other_server(tmp_path: Path, old: Authority) -> Iterator[ApiServer]:
    """A real API server of this test's own, which knows client certificates of `old`."""
    with bare_api_server(f"--client-ca-file={old.certificate}") as server:
        yield server


async def test_the_api_server_sees_who_comes_with_a_certificate_that_was_renewed(
    rotated: Rotated, other_server: ApiServer, tmp_path: Path
) -> None:
    (tmp_path / "ca.pem").write_bytes(other_server.ca_file.read_bytes())
    rotated.be("first", "/O=system:masters/CN=first")
    since = other_server.audit.position()
    async with rotated.api(other_server.url) as api:
        await api.get(PODS)
        rotated.be("second", "/O=system:masters/CN=second")
        rotated.wait()
        await api.get(PODS)
    asked = other_server.audit.requests(since)
    assert [one.user for one in asked if one.user in ("first", "second")] == ["first", "second"]
