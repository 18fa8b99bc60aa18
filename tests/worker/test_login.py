"""What a session needs of Secrets: read anew each time, and kept nowhere but in memory."""

import asyncio
import contextlib
import stat
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ingest_core.credentials import Credentials
from ingest_core.errors import CaptureError, Failure, RegistryUnavailable
from ingest_core.model import CredentialsRef, Decode, RtspSource, SecretRef, Tls
from ingest_worker.login import Logins, system_authorities
from tests.fakes.memory_registry import MemoryRegistry

PEM = "-----BEGIN CERTIFICATE-----\npretended\n-----END CERTIFICATE-----\n"
LOGIN = CredentialsRef(name="login")


class Registry(MemoryRegistry):
    away = False

    async def secret(self, name: str, key: str) -> str:
        if self.away:
            raise RegistryUnavailable("away, with p@ss in its message")
        return await super().secret(name, key)


@pytest.fixture
def registry() -> Registry:
    one = Registry()
    one.secrets["login"] = {"username": "u", "password": "p@ss", "user": "v", "pin": "1"}
    one.secrets["ca"] = {"ca.crt": PEM}
    return one


@pytest.fixture
def logins(registry: Registry) -> Iterator[Logins]:
    one = Logins(registry)
    yield one
    one.close()


def rtsp(
    login: CredentialsRef | None = None, tls: Tls | None = None, url: str = "rtsp://192.0.2.1/"
) -> RtspSource:
    return RtspSource(
        url=url, credentials_secret_ref=login, tls=tls, transport="UDP", connect_timeout_seconds=7
    )


async def test_everything_that_a_session_needs_is_put_together(logins: Logins) -> None:
    target = await logins.target(rtsp(LOGIN), Decode.KEYFRAMES)
    assert (target.url, target.transport) == ("rtsp://192.0.2.1/", "UDP")
    assert target.credentials == Credentials("u", "p@ss")
    assert (target.connect_seconds, target.decode) == (7, Decode.KEYFRAMES)
    assert target.verify
    assert "p@ss" not in repr(target)


async def test_a_login_may_be_under_other_keys(logins: Logins) -> None:
    other = CredentialsRef(name="login", username_key="user", password_key="pin")
    target = await logins.target(rtsp(other), Decode.ALL)
    assert target.credentials == Credentials("v", "1")


async def test_without_a_secret_there_is_no_login(logins: Logins) -> None:
    assert (await logins.target(rtsp(), Decode.ALL)).credentials is None
    assert await logins.token(None) is None


async def test_authorities_that_are_written_at_once_are_all_there(
    logins: Logins, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = tempfile.TemporaryDirectory
    made: list[str] = []
    both = threading.Barrier(2)

    def slowly(**options: Any) -> tempfile.TemporaryDirectory[str]:
        with contextlib.suppress(threading.BrokenBarrierError):
            both.wait(0.2)  # for as long as it takes the other one to be here, too, if it can
        directory = make(**options)
        made.append(directory.name)
        return directory

    monkeypatch.setattr(tempfile, "TemporaryDirectory", slowly)
    registry.secrets["other"] = {"ca.crt": PEM * 2}
    authorities = [
        Tls(ca_secret_ref=SecretRef(name=name, key="ca.crt")) for name in ("ca", "other")
    ]
    targets = await asyncio.gather(
        *(logins.target(rtsp(tls=tls, url="rtsps://192.0.2.1/"), Decode.ALL) for tls in authorities)
    )
    assert len(made) == 1
    assert {Path(one.ca_file or "").read_text() for one in targets} == {PEM, PEM * 2}  # noqa: ASYNC240 - small local files


async def test_a_secret_is_read_anew_each_time(logins: Logins, registry: Registry) -> None:
    before = await logins.target(rtsp(LOGIN), Decode.ALL)
    registry.secrets["login"]["password"] = "another"
    after = await logins.target(rtsp(LOGIN), Decode.ALL)
    assert before != after
    assert after.credentials == Credentials("u", "another")
    registry.secrets["push"] = {"token": "t"}
    assert await logins.token(SecretRef(name="push", key="token")) == "t"


@pytest.mark.parametrize(
    "reference", [CredentialsRef(name="gone"), CredentialsRef(name="login", password_key="gone")]
)
async def test_a_missing_secret_or_key_is_missing_credentials(
    logins: Logins, reference: CredentialsRef
) -> None:
    with pytest.raises(CaptureError) as failed:
        await logins.target(rtsp(reference), Decode.ALL)
    assert failed.value.failure is Failure.CREDENTIALS_MISSING
    assert "gone" in str(failed.value)


async def test_a_registry_that_is_away_is_no_missing_secret(
    logins: Logins, registry: Registry
) -> None:
    registry.away = True
    with pytest.raises(CaptureError) as failed:
        await logins.target(rtsp(LOGIN), Decode.ALL)
    assert failed.value.failure is Failure.UNREACHABLE
    assert "p@ss" not in str(failed.value)


async def test_an_authority_becomes_a_private_file_that_goes_with_the_worker(
    registry: Registry,
) -> None:
    logins = Logins(registry)
    tls = Tls(ca_secret_ref=SecretRef(name="ca", key="ca.crt"), insecure_skip_verify=True)
    target = await logins.target(rtsp(tls=tls, url="rtsps://192.0.2.1/"), Decode.ALL)
    again = await logins.target(rtsp(tls=tls, url="rtsps://192.0.2.1/"), Decode.ALL)
    assert target.ca_file is not None
    path = Path(target.ca_file)
    assert path.read_text() == PEM  # noqa: ASYNC240 - a small local file
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert (again.ca_file, target.verify) == (target.ca_file, False)
    registry.secrets["ca"]["ca.crt"] = PEM * 2
    renewed = await logins.target(rtsp(tls=tls, url="rtsps://192.0.2.1/"), Decode.ALL)
    assert renewed.ca_file != target.ca_file
    logins.close()
    assert not path.parent.exists()


async def test_without_an_authority_of_its_own_those_of_the_machine_count(logins: Logins) -> None:
    target = await logins.target(rtsp(url="rtsps://192.0.2.1/"), Decode.ALL)
    assert target.ca_file == system_authorities()
