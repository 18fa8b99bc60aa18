"""Secrets as files: private or refused, read now, never told."""

import string
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest_core.errors import (
    SecretMissing,
)
from ingest_standalone import secrets_file
from ingest_standalone.directory import DirectoryRegistry
from ingest_standalone.manifest_files import read, secrets_in
from tests.fakes.camera_directory import (
    SECRET,
    manifest,
    put,
    rules,
    secret,
    settle,
)


async def test_a_secret_in_a_private_file_is_read(
    registry: DirectoryRegistry, tmp_path: Path
) -> None:
    put(tmp_path / "s.yaml", secret(username="admin", password=SECRET), 0o600)
    await settle(registry)
    assert await registry.secret("login", "password") == SECRET
    with pytest.raises(SecretMissing):
        await registry.secret("login", "token")
    text = "apiVersion: v1\nkind: Secret\nmetadata: {name: other}\ndata: {password: aHVudGVyMg==}\n"
    put(tmp_path / "s.yaml", text, 0o600)
    await settle(registry)
    assert await registry.secret("other", "password") == SECRET
    with pytest.raises(SecretMissing):
        await registry.secret("login", "password")


async def test_a_broken_value_is_told_by_its_key(
    registry: DirectoryRegistry, tmp_path: Path
) -> None:
    put(tmp_path / "s.yaml", secret(username="admin", password="12345"), 0o600)
    await settle(registry)
    told = "stringData.password: must be a string, not a whole number"
    assert rules(registry, "s.yaml") == told


async def test_a_secret_that_others_can_read_is_refused_until_they_cannot(
    registry: DirectoryRegistry, tmp_path: Path
) -> None:
    text = manifest() + "---\n" + secret(password=SECRET)
    file = put(tmp_path / "s.yaml", text, 0o640)
    await settle(registry)
    rule = "must be readable by its owner only: its mode is 0640; run chmod 600"
    assert rule in rules(registry, "s.yaml")
    assert set(registry.cameras) == {"lobby"}
    with pytest.raises(
        SecretMissing, match=r"refused: s\.yaml must be .* mode is 0640; run chmod 600"
    ):
        await registry.secret("login", "password")
    file.chmod(0o600)
    await settle(registry)
    assert not registry._shelf.problems
    assert await registry.secret("login", "password") == SECRET


@pytest.mark.parametrize(
    "text",
    [
        secret(password="[hunter2]"),
        secret(password="12345"),
        secret().replace("stringData", "hunter2"),
        secret().replace("stringData:", "data: {password: hunter2!}"),
        secret().replace("stringData:", "data: {password: //79}"),
        secret().replace("stringData:", "stringData: hunter2"),
        secret().replace("v1", "hunter2"),
        secret().replace("stringData:", "stringData: {password:hunter2}"),
    ],
)
async def test_a_broken_secret_is_told_without_its_values(
    registry: DirectoryRegistry, tmp_path: Path, logged: list[Any], text: str
) -> None:
    put(tmp_path / "s.yaml", text, 0o600)
    await settle(registry)
    (found,) = registry._shelf.problems["s.yaml"]
    assert found.problem.value is None
    assert SECRET not in found.problem.rule
    with pytest.raises(SecretMissing):
        await registry.secret("login", "password")


async def test_a_changed_secret_is_a_change_of_the_cameras_that_name_it(
    registry: DirectoryRegistry, tmp_path: Path
) -> None:
    ref = "{rtsp: {url: 'rtsp://h/x', credentialsSecretRef: {name: login}}}"
    text = manifest().replace("{rtsp: {url: 'rtsp://10.0.0.7/lobby'}}", ref)
    put(tmp_path / "lobby.yaml", text)
    put(tmp_path / "door.yaml", manifest("door"))
    await settle(registry)
    async with registry.changes() as changes:
        await anext(changes)
        put(tmp_path / "s.yaml", secret(username="u", password="p"), 0o600)
        await settle(registry)
        assert await anext(changes) == {"lobby"}


async def test_a_removed_secret_is_a_change_of_the_cameras_that_name_it(
    registry: DirectoryRegistry, tmp_path: Path
) -> None:
    ref = "{rtsp: {url: 'rtsp://h/x', credentialsSecretRef: {name: login}}}"
    put(tmp_path / "lobby.yaml", manifest().replace("{rtsp: {url: 'rtsp://10.0.0.7/lobby'}}", ref))
    file = put(tmp_path / "s.yaml", secret(username="u", password="p"), 0o600)
    await settle(registry)
    async with registry.changes() as changes:
        await anext(changes)
        file.unlink()
        await settle(registry)
        assert await anext(changes) == {"lobby"}


async def test_a_value_is_had_without_the_disk_however_many_secrets_there_are(
    registry: DirectoryRegistry, tmp_path: Path
) -> None:
    every = "---\n".join(secret(f"login-{number}", password=SECRET) for number in range(1000))
    file = put(tmp_path / "s.yaml", every, 0o600)
    await settle(registry)
    file.unlink()  # and no look since
    for number in range(1000):
        reading = registry.secret(f"login-{number}", "password")
        with pytest.raises(StopIteration) as read:  # it waits for nothing
            reading.send(None)
        assert read.value.value == SECRET


def test_a_secret_for_its_key_that_lacks_a_space_is_told_by_the_keys_rule() -> None:
    text = secret().replace("stringData:", "stringData: {password:hunter2}")
    (found,) = read("s.yaml", text.encode()).problems
    assert found.problem.field == "stringData"
    assert found.problem.rule.startswith("every key must be 1 to 253 of the characters")


@given(
    st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=60),
    st.text(string.printable.strip(), max_size=120),
)
def test_any_login_survives_its_file(username: str, password: str) -> None:
    values = {"username": username, "password": password}
    written = secrets_file.own_secret("login", values)
    (read,) = secrets_in(secrets_file.render(written)).values()
    assert (read, read.values(), read.managed) == (written, values, True)
    assert repr(read) == "Secret('login', ***)"
