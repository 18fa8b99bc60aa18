"""The directory as people use it: by hand, by editor, wrongly, and twice at once."""

import asyncio
import os
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from msgspec.structs import replace
from prometheus_client import CollectorRegistry

from ingest_core import metrics
from ingest_core.errors import (
    InvalidManifest,
    ManagedElsewhere,
    RegistryInUse,
    RegistryUnavailable,
    SecretMissing,
)
from ingest_core.model import CameraSpec, RtspSource, Source
from ingest_standalone.directory import DirectoryRegistry

SECRET = "hunter2"
RTSP = CameraSpec(source=Source(rtsp=RtspSource(url="rtsp://10.0.0.7/x")))
LOGIN = {"username": "admin", "password": SECRET}


def manifest(name: str = "lobby", **spec: object) -> str:
    lines = [f"  {key}: {value}\n" for key, value in spec.items()]
    return (
        "apiVersion: camera-ingest.io/v1alpha1\nkind: Camera\n"
        f"metadata: {{name: {name}}}\n"
        f"spec:\n  source: {{rtsp: {{url: 'rtsp://10.0.0.7/{name}'}}}}\n{''.join(lines)}"
    )


def secret(name: str = "login", **data: str) -> str:
    lines = [f"  {key}: {value}\n" for key, value in data.items()]
    return (
        f"apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}}}\nstringData:\n{''.join(lines)}"
    )


def put(path: Path, text: str, mode: int = 0o644) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


@pytest.fixture(autouse=True)
def logged() -> Iterator[list[Any]]:
    with structlog.testing.capture_logs() as lines:
        yield lines


@pytest.fixture
async def registry(tmp_path: Path) -> AsyncIterator[DirectoryRegistry]:
    async with DirectoryRegistry(tmp_path) as opened:
        yield opened


async def settle(registry: DirectoryRegistry) -> None:
    """What by hand changed is believed at the second look."""
    await registry.look()
    await registry.look()


def rules(registry: DirectoryRegistry, file: str) -> str:
    return "; ".join(str(found.problem) for found in registry.problems[file])


# By hand


async def test_what_is_there_at_the_start_is_there(tmp_path: Path) -> None:
    put(tmp_path / "site.yaml", manifest("lobby") + "---\n" + manifest("door"))
    put(tmp_path / "other.yml", manifest("yard"))
    async with DirectoryRegistry(tmp_path) as registry:
        assert set(registry.cameras) == {"lobby", "door", "yard"}
        assert not registry.problems


async def test_a_directory_is_made_for_its_owner_only(tmp_path: Path) -> None:
    async with DirectoryRegistry(tmp_path / "a" / "b"):
        assert stat.S_IMODE((tmp_path / "a" / "b").stat().st_mode) == 0o700


async def test_a_manifest_comes_changes_and_goes(
    registry: DirectoryRegistry, tmp_path: Path
) -> None:
    file = put(tmp_path / "lobby.yaml", manifest())
    await settle(registry)
    first = registry.cameras["lobby"]
    put(file, manifest(weight=7))
    await settle(registry)
    second = registry.cameras["lobby"]
    assert (second.spec.weight, second.metadata.generation) == (7, 2)
    assert second.epoch == first.epoch
    file.unlink()
    await settle(registry)
    assert not registry.cameras


async def test_the_loop_sees_a_change_by_hand_within_a_second(
    registry: DirectoryRegistry, tmp_path: Path
) -> None:
    task = asyncio.create_task(registry.run())
    async with registry.changes() as changes:
        await anext(changes)
        put(tmp_path / "lobby.yaml", manifest())
        assert await asyncio.wait_for(anext(changes), 5) == {"lobby"}
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_file_that_is_still_being_written_is_not_read(
    registry: DirectoryRegistry, tmp_path: Path
) -> None:
    file = put(tmp_path / "lobby.yaml", manifest(weight=10))
    await registry.look()
    put(file, manifest(weight=100))
    await registry.look()
    assert not registry.cameras
    await registry.look()
    assert registry.cameras["lobby"].spec.weight == 100


async def test_a_second_change_that_no_time_or_size_shows_is_seen(
    registry: DirectoryRegistry, tmp_path: Path
) -> None:
    file = put(tmp_path / "lobby.yaml", manifest(weight=10))
    await settle(registry)
    known = registry._watch._known["lobby.yaml"]
    file.write_text(manifest(weight=20))
    # As if the file system's clock had not ticked between the two writes:
    same = registry._disk.listed()["lobby.yaml"]
    registry._watch._known["lobby.yaml"] = type(known)(same, same, known.settled)
    await registry.look()
    assert registry.cameras["lobby"].spec.weight == 20


async def test_an_editor_that_moves_the_old_file_away_first_removes_no_camera(
    registry: DirectoryRegistry, tmp_path: Path
) -> None:
    file = put(tmp_path / "lobby.yaml", manifest())
    await settle(registry)
    uid = registry.cameras["lobby"].metadata.uid
    file.rename(tmp_path / "lobby.yaml~")
    await registry.look()
    put(file, manifest(weight=7))
    await settle(registry)
    camera = registry.cameras["lobby"]
    assert (camera.metadata.uid, camera.spec.weight) == (uid, 7)


@pytest.mark.parametrize("name", [".lobby.yaml.swp", ".lobby.yaml", "lobby.yaml~", "#x.yaml", "x"])
async def test_what_editors_leave_behind_is_no_manifest(
    registry: DirectoryRegistry, tmp_path: Path, name: str
) -> None:
    put(tmp_path / name, manifest())
    await settle(registry)
    assert not registry.cameras
    assert not registry.problems


async def test_labels_are_kept_and_make_no_generation(
    registry: DirectoryRegistry, tmp_path: Path
) -> None:
    text = manifest()
    file = put(tmp_path / "lobby.yaml", text)
    await settle(registry)
    put(file, text.replace("{name: lobby}", "{name: lobby, labels: {site: north}}"))
    await settle(registry)
    await registry.replace("lobby", replace(registry.cameras["lobby"].spec, weight=7), None)
    camera = registry.cameras["lobby"]
    assert (camera.metadata.labels, camera.metadata.generation) == ({"site": "north"}, 2)


async def test_status_and_uid_of_a_file_are_not_believed(
    registry: DirectoryRegistry, tmp_path: Path
) -> None:
    text = manifest().replace("{name: lobby}", "{name: lobby, uid: mine, generation: 9}")
    put(tmp_path / "lobby.yaml", text + "status: {assignment: {worker: evil, epoch: 999}}\n")
    await settle(registry)
    camera = registry.cameras["lobby"]
    assert camera.metadata.uid != "mine"
    assert camera.metadata.generation == 1
    assert camera.status.assignment is not None
    assert (camera.status.assignment.worker, camera.epoch < 999) == ("standalone", True)


# Wrongly


async def test_a_broken_edit_is_reported_once_and_changes_nothing_until_it_is_mended(
    tmp_path: Path, logged: list[Any]
) -> None:
    exposition = CollectorRegistry()
    file = put(tmp_path / "site.yaml", manifest("lobby") + "---\n" + manifest("door"))
    put(tmp_path / "yard.yaml", manifest("yard"))
    async with DirectoryRegistry(tmp_path, exposition=exposition) as registry:
        before = dict(registry.cameras)
        put(file, manifest("lobby") + "---\n" + manifest("door", weight=0))
        await settle(registry)
        await settle(registry)
        assert dict(registry.cameras) == before
        lines = [line for line in logged if line["event"] == "manifest_invalid"]
        assert lines == [
            {
                "event": "manifest_invalid",
                "log_level": "warning",
                "file": "site.yaml",
                "document": 2,
                "field": "spec.weight",
                "value": "0",
                "rule": "must be >= 1",
            }
        ]
        assert exposition.get_sample_value(metrics.MANIFESTS_INVALID.name) == 1
        put(file, manifest("lobby"))
        await settle(registry)
        assert set(registry.cameras) == {"lobby", "yard"}
        assert exposition.get_sample_value(metrics.MANIFESTS_INVALID.name) == 0
        assert logged[-1]["event"] == "manifest_mended"


async def test_a_broken_document_disturbs_no_other_one(
    registry: DirectoryRegistry, tmp_path: Path
) -> None:
    text = "---\n".join([manifest("a"), manifest("b", weight=0), "[]\n", manifest("c")])
    put(tmp_path / "site.yaml", text)
    await settle(registry)
    assert set(registry.cameras) == {"a", "c"}
    assert [found.document for found in registry.problems["site.yaml"]] == [2, 3]


async def test_a_file_that_was_never_whole_gives_no_camera(tmp_path: Path) -> None:
    put(tmp_path / "lobby.yaml", manifest(weight=0))
    async with DirectoryRegistry(tmp_path) as registry:
        assert not registry.cameras


async def test_a_broken_file_that_is_removed_takes_its_cameras_along(
    registry: DirectoryRegistry, tmp_path: Path
) -> None:
    file = put(tmp_path / "lobby.yaml", manifest())
    await settle(registry)
    put(file, "{")
    await settle(registry)
    assert set(registry.cameras) == {"lobby"}
    file.unlink()
    await settle(registry)
    assert not registry.cameras
    assert not registry.problems


async def test_a_name_and_an_id_belong_to_the_first_file(
    registry: DirectoryRegistry, tmp_path: Path
) -> None:
    put(tmp_path / "b.yaml", manifest("lobby", weight=2))
    put(tmp_path / "c.yaml", manifest("other", cameraId="lobby"))
    put(tmp_path / "a.yaml", manifest("lobby", weight=1))
    await settle(registry)
    assert {name: camera.spec.weight for name, camera in registry.cameras.items()} == {"lobby": 1}
    assert "the name of another camera, in a.yaml" in rules(registry, "b.yaml")
    assert "the id of another camera, in a.yaml" in rules(registry, "c.yaml")
    (tmp_path / "a.yaml").unlink()
    await settle(registry)
    assert registry.cameras["lobby"].spec.weight == 2


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (b"a: [", "line 1"),
        (b"a: b: c", "mapping values are not allowed"),
        (b"\xff\xfe", "UTF-8"),
        (b"a: \x00", "character"),
        (b"a: &x [1]\nb: *x\n", "anchors and aliases"),
        (b"a: *hunter2\n", "anchors and aliases"),
        (b"a: !hunter2 x\n", "a tag or a key is not allowed"),
        (b"a: !!python/object/apply:os.system [hunter2]\n", "a tag or a key is not allowed"),
        (b"%TAG ! tag:hunter2\n", "line 1"),
        (b"[" * 500_000, "nested more than"),
        (b"- " * 100_000, "nested more than"),
        (b"x: 1\nx: 2\n", "said twice"),
        (b"x: 2026-99-99\n", "a number or a date"),
        (b"x: " + b"9" * 10_000, "a number or a date"),
        (b"? {a: b}\n: c\n", "a tag or a key is not allowed"),
        (b"#" * (1 << 20) + b"\n", "1048576 bytes"),
        (b"- a\n- b\n", "must be a mapping"),
        (b"kind: Pod\napiVersion: v1\nmetadata: {}\n", "must be one of"),
        (b"spec: hunter2\n", "is required"),
    ],
)
async def test_any_bytes_are_a_problem_at_worst_and_never_quoted(
    registry: DirectoryRegistry, tmp_path: Path, logged: list[Any], data: bytes, rule: str
) -> None:
    put(tmp_path / "good.yaml", manifest())
    (tmp_path / "bad.yaml").write_bytes(data)
    await settle(registry)
    assert set(registry.cameras) == {"lobby"}
    assert rule in rules(registry, "bad.yaml")
    assert SECRET not in rules(registry, "bad.yaml") + str(logged)


async def test_an_empty_file_and_empty_documents_say_nothing(
    registry: DirectoryRegistry, tmp_path: Path
) -> None:
    put(tmp_path / "empty.yaml", "")
    put(tmp_path / "comments.yaml", "# nothing\n---\n---\n" + manifest() + "---\n")
    await settle(registry)
    assert set(registry.cameras) == {"lobby"}
    assert not registry.problems


async def test_what_is_no_file_is_a_problem_at_worst(
    registry: DirectoryRegistry, tmp_path: Path
) -> None:
    put(tmp_path / "good.yaml", manifest())
    (tmp_path / "dir.yaml").mkdir()
    (tmp_path / "dangling.yaml").symlink_to("nowhere")
    (tmp_path / "loop.yaml").symlink_to("loop.yaml")
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / os.fsdecode(b"\xff.yaml")).write_text("{")
    await asyncio.wait_for(settle(registry), 5)
    assert set(registry.cameras) == {"lobby"}
    assert len(registry.problems) == 5


async def test_a_link_to_a_manifest_is_followed_and_only_a_person_changes_it(
    registry: DirectoryRegistry, tmp_path: Path
) -> None:
    put(tmp_path / "real", manifest())
    (tmp_path / "lobby.yaml").symlink_to("real")
    await settle(registry)
    with pytest.raises(ManagedElsewhere):
        await registry.replace("lobby", replace(registry.cameras["lobby"].spec, weight=7), None)
    with pytest.raises(ManagedElsewhere):
        await registry.delete("lobby")


async def test_a_directory_that_is_away_changes_nothing_and_is_said(
    registry: DirectoryRegistry, tmp_path: Path
) -> None:
    put(tmp_path / "lobby.yaml", manifest())
    await settle(registry)
    tmp_path.rename(tmp_path.with_name("away"))
    with pytest.raises(RegistryUnavailable):
        await registry.look()
    with pytest.raises(RegistryUnavailable):
        await registry.create("door", RTSP, {})
    assert set(registry.cameras) == {"lobby"}
    tmp_path.with_name("away").rename(tmp_path)
    await settle(registry)
    assert set(registry.cameras) == {"lobby"}


# Secrets


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


async def test_a_secret_that_others_can_read_is_refused_until_they_cannot(
    registry: DirectoryRegistry, tmp_path: Path
) -> None:
    text = manifest() + "---\n" + secret(password=SECRET)
    file = put(tmp_path / "s.yaml", text, 0o640)
    await settle(registry)
    assert "chmod 600" in rules(registry, "s.yaml")
    assert set(registry.cameras) == {"lobby"}
    with pytest.raises(SecretMissing):
        await registry.secret("login", "password")
    file.chmod(0o600)
    await settle(registry)
    assert not registry.problems
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
    ],
)
async def test_a_broken_secret_is_told_without_its_values(
    registry: DirectoryRegistry, tmp_path: Path, logged: list[Any], text: str
) -> None:
    put(tmp_path / "s.yaml", text, 0o600)
    await settle(registry)
    (found,) = registry.problems["s.yaml"]
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


# By the API


async def test_what_the_api_writes_is_a_manifest_and_a_private_secret(
    registry: DirectoryRegistry, tmp_path: Path
) -> None:
    os.umask(os.umask(0o022))
    await registry.create("lobby", RTSP, LOGIN)
    mode = stat.S_IMODE((tmp_path / "lobby.secret.yaml").stat().st_mode)
    assert mode == 0o600
    text = (tmp_path / "lobby.yaml").read_text()
    assert text.startswith("apiVersion: camera-ingest.io/v1alpha1\nkind: Camera\n")
    assert SECRET not in text
    assert "status" not in text
    others = {entry.name for entry in tmp_path.iterdir()} - {"lobby.yaml", "lobby.secret.yaml"}
    assert others == {".lock", ".epoch"}


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
    assert sorted(entry.name for entry in tmp_path.glob("*.yaml")) == ["site.yaml"]


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


# At the start, and twice


async def test_a_start_takes_away_what_a_kill_left_behind_and_nothing_else(
    tmp_path: Path,
) -> None:
    async with DirectoryRegistry(tmp_path) as registry:
        await registry.create("lobby", RTSP, LOGIN)
        await registry.create("door", RTSP, LOGIN)
    (tmp_path / "door.yaml").unlink()
    put(tmp_path / ".tmp-0123", "half")
    put(tmp_path / "mine.yaml", secret(password=SECRET), 0o600)
    async with DirectoryRegistry(tmp_path):
        left = sorted(entry.name for entry in tmp_path.iterdir() if entry.name[0] != ".")
        assert left == ["lobby.secret.yaml", "lobby.yaml", "mine.yaml"]
        assert not (tmp_path / ".tmp-0123").exists()


async def test_a_start_keeps_every_secret_while_a_manifest_is_broken(tmp_path: Path) -> None:
    async with DirectoryRegistry(tmp_path) as registry:
        await registry.create("lobby", RTSP, LOGIN)
        await registry.create("door", RTSP, LOGIN)
    put(tmp_path / "lobby.yaml", "{")
    async with DirectoryRegistry(tmp_path) as registry:
        await registry.delete("door")
        assert (tmp_path / "lobby.secret.yaml").exists()
        assert not (tmp_path / "door.secret.yaml").exists()


async def test_a_second_process_refuses_and_says_which_directory_and_who_has_it(
    registry: DirectoryRegistry, tmp_path: Path
) -> None:
    code = (
        "import asyncio, pathlib, sys\n"
        "from ingest_standalone.directory import DirectoryRegistry\n"
        "async def main():\n"
        "    async with DirectoryRegistry(pathlib.Path(sys.argv[1])): pass\n"
        "asyncio.run(main())\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    run = await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, timeout=30, check=False
    )
    assert run.returncode != 0
    assert RegistryInUse.__name__ in run.stderr
    assert str(tmp_path) in run.stderr.splitlines()[-1]
    assert f"pid {os.getpid()}" in run.stderr.splitlines()[-1]


async def test_a_directory_that_was_let_go_can_be_taken(tmp_path: Path) -> None:
    for _ in range(2):
        async with DirectoryRegistry(tmp_path):
            with pytest.raises(RegistryInUse):
                await DirectoryRegistry(tmp_path).__aenter__()


@pytest.mark.parametrize("path", ["/proc", "/proc/nowhere", "/dev/null"])
async def test_a_directory_that_cannot_be_written_is_said_at_the_start(path: str) -> None:
    with pytest.raises(RegistryUnavailable, match=path):
        await DirectoryRegistry(Path(path)).__aenter__()


async def test_an_epoch_file_that_holds_none_is_said_and_not_overwritten(tmp_path: Path) -> None:
    put(tmp_path / ".epoch", "many")
    with pytest.raises(RegistryUnavailable, match=r"\.epoch must hold"):
        await DirectoryRegistry(tmp_path).__aenter__()
    assert (tmp_path / ".epoch").read_text() == "many"


async def test_a_camera_that_came_later_has_a_greater_epoch_than_all_before(
    tmp_path: Path,
) -> None:
    seen: list[int] = []
    for _ in range(2):
        async with DirectoryRegistry(tmp_path) as registry:
            for _ in range(2):
                seen.append((await registry.create("lobby", RTSP, {})).epoch)
                await registry.delete("lobby")
    assert seen == sorted(set(seen))
