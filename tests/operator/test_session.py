"""Kopf's session: what waiting heals is waited for, and who we are is what is valid now."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from ingest_core.errors import ApiUnavailable
from ingest_core.kube.access import Access, load
from ingest_core.kube.resources import CAMERAS
from ingest_operator.session import make_session
from tests.fakes.authority import authority
from tests.fakes.kube_stand_in import StandIn, refusal, said, stand_in
from tests.fakes.virtual_time import in_virtual_time

LIST = CAMERAS.path("ours")


async def access_to(folder: Path, url: str, cluster: dict[str, str], **user: str) -> Access:
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": url, **cluster}}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    file = folder / "kubeconfig"
    file.write_text(yaml.safe_dump(config))
    return await load(str(file), {})


class Reach:
    """Counts how often it was waited for until everything can be read."""

    def __init__(self) -> None:
        self.times = 0

    async def __call__(self) -> None:
        self.times += 1


async def get(session: aiohttp.ClientSession, url: str) -> int:
    async with session.get(url) as answer:
        return answer.status


async def token_session(
    folder: Path, server: StandIn, reach: Callable[[], Awaitable[None]]
) -> aiohttp.ClientSession:
    (folder / "token").write_text("first")
    access = await access_to(folder, server.url, {}, tokenFile=str(folder / "token"))
    return make_session(access, reach)


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refusal_is_kept_back_until_everything_can_be_read(tmp_path: Path, status: int) -> None:
    @in_virtual_time
    async def ask() -> None:
        reach = Reach()
        no = refusal(status, "No", "not now")
        async with (
            stand_in(no, no, said(200)) as server,
            await token_session(tmp_path, server, reach) as session,
        ):
            assert await get(session, server.url + LIST) == 200
            assert len(server.asked) == 3
            assert reach.times == 2

    ask()


@pytest.mark.parametrize(
    ("status", "path"), [(404, "/apis/camera-ingest.io/v1alpha1"), (410, LIST), (500, LIST)]
)
async def test_what_kopf_knows_how_to_take_it_is_told(
    tmp_path: Path, status: int, path: str
) -> None:
    async with (
        stand_in(refusal(status, "No", "as it is")) as server,
        await token_session(tmp_path, server, Reach()) as session,
    ):
        assert await get(session, server.url + path) == status
        assert len(server.asked) == 1


def test_once_the_token_is_another_one_it_is_the_other_one_that_is_sent(tmp_path: Path) -> None:
    @in_virtual_time
    async def ask() -> None:
        async def rotate() -> None:
            (tmp_path / "token").write_text("second")

        no = refusal(401, "Unauthorized", "Unauthorized")
        async with (
            stand_in(no, no, said(200)) as server,
            await token_session(tmp_path, server, rotate) as session,
        ):
            assert await get(session, server.url + LIST) == 200
            sent = [one.headers["authorization"] for one in server.asked]
            assert sent == ["Bearer first", "Bearer first", "Bearer second"]

    ask()


async def test_new_connections_are_made_with_the_certificate_that_is_there_now(
    tmp_path: Path,
) -> None:
    here = authority(tmp_path / "ca")
    tls = here.server("server")
    tls.verify_mode = ssl.CERT_REQUIRED
    tls.load_verify_locations(here.certificate)
    files = tmp_path / "client.pem", tmp_path / "client.key"

    def write(name: str) -> None:
        for made, file in zip(here.sign(name), files, strict=True):
            file.write_bytes(made.read_bytes())

    seen: list[Any] = []

    async def tell(writer: asyncio.StreamWriter) -> None:
        certificate = writer.get_extra_info("ssl_object").getpeercert()
        seen.extend(dict(one) for one in certificate["subject"])
        await said(200, Connection="close")(writer)
        writer.close()

    write("one")
    async with stand_in(tell, tls=tls) as server:
        trusted = {"certificate-authority": str(here.certificate)}
        user = {"client-certificate": str(files[0]), "client-key": str(files[1])}
        access = await access_to(tmp_path, server.url, trusted, **user)
        async with make_session(access, Reach()) as session:
            assert await get(session, server.url + LIST) == 200
            write("two")
            await access.reload()
            assert await get(session, server.url + LIST) == 200
            files[0].write_text("torn")
            await access.reload()
            assert await get(session, server.url + LIST) == 200
    assert [one["commonName"] for one in seen] == ["one", "two", "two"]


async def test_certificates_that_are_none_are_said_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "client.pem").write_text("no certificate")
    user = {"client-certificate": "client.pem", "client-key": "client.pem"}
    access = await access_to(tmp_path, "https://127.0.0.1:1", {}, **user)
    with pytest.raises(ApiUnavailable, match="names certificates that are none"):
        make_session(access, Reach())
