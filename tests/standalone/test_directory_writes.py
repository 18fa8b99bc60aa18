"""What the API writes, and what it leaves to the person who wrote it."""

import stat
from pathlib import Path

import pytest
from msgspec.structs import replace

from ingest_core.errors import (
    InvalidManifest,
    ManagedElsewhere,
)
from ingest_standalone.directory import DirectoryRegistry
from tests.fakes.camera_directory import (
    LOGIN,
    RTSP,
    SECRET,
    files,
    manifest,
    put,
    settle,
)


async def test_what_the_api_writes_is_a_manifest_and_a_private_secret(
    registry: DirectoryRegistry, tmp_path: Path
) -> None:
    await registry.create("lobby", RTSP, LOGIN)
    mode = stat.S_IMODE((tmp_path / "lobby.secret.yaml").stat().st_mode)
    assert mode == 0o600
    text = (tmp_path / "lobby.yaml").read_text()
    assert text.startswith("apiVersion: camera-ingest.io/v1alpha1\nkind: Camera\n")
    assert SECRET not in text
    assert "status" not in text
    assert files(tmp_path) == [".epoch", ".lock", "lobby.secret.yaml", "lobby.yaml"]


async def test_cameras_and_secrets_outlive_the_process_with_a_greater_epoch(
    tmp_path: Path,
) -> None:
    async with DirectoryRegistry(tmp_path) as first:
        before = await first.create("lobby", RTSP, LOGIN)
    async with DirectoryRegistry(tmp_path) as second:
        after = second.cameras["lobby"]
        assert after.spec == before.spec
        assert after.epoch > before.epoch
        assert after.spec.source.rtsp is not None
        assert after.spec.source.rtsp.credentials_secret_ref is not None
        name = after.spec.source.rtsp.credentials_secret_ref.name
        assert await second.secret(name, "password") == SECRET


async def test_a_camera_among_others_in_a_file_is_for_a_person_to_change(
    registry: DirectoryRegistry, tmp_path: Path
) -> None:
    text = "# mine\n" + manifest("lobby") + "---\n" + manifest("door")
    file = put(tmp_path / "site.yaml", text)
    await settle(registry)
    with pytest.raises(ManagedElsewhere, match=r"site\.yaml"):
        await registry.replace("lobby", RTSP, LOGIN)
    with pytest.raises(ManagedElsewhere, match=r"site\.yaml"):
        await registry.delete("lobby")
    assert file.read_text() == text
    assert files(tmp_path) == [".epoch", ".lock", "site.yaml"]


async def test_a_camera_alone_in_a_file_by_hand_is_changed_there(
    registry: DirectoryRegistry, tmp_path: Path
) -> None:
    file = put(tmp_path / "10-entrance.yaml", manifest("lobby"))
    await settle(registry)
    await registry.replace("lobby", replace(RTSP, weight=7), None)
    assert "weight: 7" in file.read_text()
    await registry.delete("lobby")
    assert not file.exists()


async def test_a_file_that_is_somebody_elses_is_never_overwritten(
    registry: DirectoryRegistry, tmp_path: Path
) -> None:
    for taken in ("lobby.yaml", "lobby.secret.yaml"):
        file = put(tmp_path / taken, "half a thought", 0o600)
        await settle(registry)
        with pytest.raises(ManagedElsewhere):
            await registry.create("lobby", RTSP, LOGIN)
        assert file.read_text() == "half a thought"
        file.unlink()


async def test_a_broken_edit_by_hand_is_not_overwritten_by_a_patch(
    registry: DirectoryRegistry, tmp_path: Path
) -> None:
    await registry.create("lobby", RTSP, {})
    put(tmp_path / "lobby.yaml", manifest(weight=0))
    await settle(registry)
    with pytest.raises(ManagedElsewhere):
        await registry.replace("lobby", RTSP, None)
    await registry.delete("lobby")
    assert not (tmp_path / "lobby.yaml").exists()


async def test_a_name_that_would_be_a_secrets_file_is_refused(
    registry: DirectoryRegistry,
) -> None:
    with pytest.raises(InvalidManifest, match="must not end in"):
        await registry.create("lobby.secret", RTSP, {})
