"""A kill or a full disk at any moment leaves the old or the new, never half."""

import asyncio
import errno
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from ingest_core.errors import RegistryUnavailable
from ingest_standalone.directory import DirectoryRegistry
from ingest_standalone.disk import Disk
from tests.fakes.camera_directory import files, manifest, put
from tests.fakes.churn import login, spec, whole

Act = Callable[[DirectoryRegistry], Awaitable[object]]


class FailingDisk(Disk):
    """Fails at the step of that number, counted over writes and removals, if `error` is set."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.error: Exception | None = None
        self.steps = 0

    def write(self, file: str, data: bytes, mode: int) -> None:
        self._step()
        super().write(file, data, mode)

    def remove(self, file: str) -> None:
        self._step()
        super().remove(file)

    def _step(self) -> None:
        if self.error is not None and self.steps == 0:
            raise self.error
        self.steps -= 1


class Killed(Exception):
    """Nothing of ours catches it, as nothing of ours runs after SIGKILL."""


def create(registry: DirectoryRegistry) -> Awaitable[object]:
    return registry.create("door", spec(3), login(3))


def change(registry: DirectoryRegistry) -> Awaitable[object]:
    return registry.replace("lobby", spec(2), login(2))


def delete(registry: DirectoryRegistry) -> Awaitable[object]:
    return registry.delete("lobby")


def seen(registry: DirectoryRegistry) -> dict[str, str]:
    return {
        name: camera.spec.source.rtsp.url
        for name, camera in registry.cameras.items()
        if camera.spec.source.rtsp is not None
    }


async def done(path: Path, act: Act) -> dict[str, str]:
    """What is there after the act when nothing fails."""
    async with DirectoryRegistry(path) as registry:
        await registry.create("lobby", spec(1), login(1))
        await act(registry)
        return seen(registry)


@pytest.mark.parametrize("act", [create, change, delete])
async def test_a_kill_before_any_step_leaves_the_old_or_the_new(tmp_path: Path, act: Act) -> None:
    new = await done(tmp_path / "new", act)
    old = {"lobby": "rtsp://10.0.0.7/1"}
    found = []
    for step in range(10):
        path = tmp_path / str(step)
        disk = FailingDisk(path)
        async with DirectoryRegistry(path, disk=disk) as registry:
            await registry.create("lobby", spec(1), login(1))
            disk.error, disk.steps = Killed(), step
            try:
                await act(registry)
            except Killed:
                pass
            else:
                break
        await whole(path)
        async with DirectoryRegistry(path) as registry:
            found.append(seen(registry))
    assert old in found
    assert all(state in (old, new) for state in found)
    assert step >= 2, "the act must have had steps to be killed at"


@pytest.mark.parametrize("act", [create, change, delete])
async def test_a_disk_that_fails_at_any_step_loses_nothing(tmp_path: Path, act: Act) -> None:
    full = OSError(errno.ENOSPC, "No space left on device")
    said = []
    for step in range(10):
        path = tmp_path / str(step)
        disk = FailingDisk(path)
        async with DirectoryRegistry(path, disk=disk) as registry:
            before = await registry.create("lobby", spec(1), login(1))
            disk.error, disk.steps = full, step
            try:
                await act(registry)
            except RegistryUnavailable as error:
                said.append(str(error))
                await registry.look()
                await registry.look()
                assert dict(registry.cameras) == {"lobby": before}
            if disk.steps > 0:
                break
            disk.error = None
            state = seen(registry)
        await whole(path)
        async with DirectoryRegistry(path) as registry:
            assert seen(registry) == state
    assert said
    assert all("No space left" in text for text in said)


async def test_a_camera_by_hand_comes_when_the_disk_can_keep_its_epoch(tmp_path: Path) -> None:
    disk = FailingDisk(tmp_path)
    async with DirectoryRegistry(tmp_path, disk=disk) as registry:
        put(tmp_path / "lobby.yaml", manifest())
        disk.error, disk.steps = OSError(errno.ENOSPC, "No space left on device"), 0
        await registry.look()
        with pytest.raises(RegistryUnavailable):
            await registry.look()
        assert not registry.cameras
        disk.error = None
        await registry.look()
        assert registry.cameras["lobby"].epoch == 2


async def test_a_file_that_grows_beyond_the_disk_leaves_nothing_behind(tmp_path: Path) -> None:
    code = (
        "import asyncio, pathlib, resource, sys\n"
        "from ingest_core.errors import RegistryUnavailable\n"
        "from ingest_standalone.directory import DirectoryRegistry\n"
        "from tests.fakes.churn import login, spec\n"
        "async def main():\n"
        "    async with DirectoryRegistry(pathlib.Path(sys.argv[1])) as registry:\n"
        "        resource.setrlimit(resource.RLIMIT_FSIZE, (50, 50))\n"
        "        try:\n"
        "            await registry.create('lobby', spec(1), login(1))\n"
        "        except RegistryUnavailable as error:\n"
        "            print(error)\n"
        "asyncio.run(main())\n"
    )
    run = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", code, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert run.stdout == f"{tmp_path}: File too large\n"
    assert files(tmp_path) == [".epoch", ".lock"]


async def test_a_kill_at_any_moment_leaves_a_directory_that_reads_back_whole(
    tmp_path: Path,
) -> None:
    kills = 20
    run = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "tests.fakes.churn", str(tmp_path), str(kills)],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    counts = [int(line) for line in run.stdout.split()]
    assert len(counts) == kills
    assert max(counts) > 0
