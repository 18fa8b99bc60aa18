"""The directory as people use it: by hand, by editor, from start to start, and twice."""

import asyncio
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from ingest_core.errors import (
    RegistryInUse,
    RegistryUnavailable,
)
from ingest_standalone.directory import POLL_SECONDS, DirectoryRegistry
from tests.fakes.camera_directory import (
    LOGIN,
    RTSP,
    SECRET,
    files,
    manifest,
    put,
    secret,
    settle,
)


async def test_what_is_there_at_the_start_is_there(tmp_path: Path) -> None:
    put(tmp_path / "site.yaml", manifest("lobby") + "---\n" + manifest("door"))
    put(tmp_path / "other.yml", manifest("yard"))
    async with DirectoryRegistry(tmp_path) as registry:
        assert set(registry.cameras) == {"lobby", "door", "yard"}
        assert not registry._shelf.problems


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
    assert 2 * POLL_SECONDS < 1
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
    assert not registry._shelf.problems


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
        left = [".epoch", ".lock", "lobby.secret.yaml", "lobby.yaml", "mine.yaml"]
        assert files(tmp_path) == left


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
        "from ingest_standalone.directory import POLL_SECONDS, DirectoryRegistry\n"
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
