"""Images of this machine's programs hold all that the programs need, and are the same each time."""

import json
import os
import shutil
import signal
import subprocess
import tarfile
import time
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.binaries import Unavailable
from tests.cluster.nodes import archives
from tests.cluster.programs import HOST, Household, Program, free_port


@pytest.fixture
def tool(tmp_path: Path) -> Path:
    file = tmp_path / "tool"
    file.write_text("#!/bin/true\n")
    file.chmod(0o700)
    return file


def test_an_archive_names_its_image_and_says_how_it_is_run(tool: Path, tmp_path: Path) -> None:
    archive = tmp_path / "image.tar"
    variables = {"COLOUR": "red"}
    archives.write(
        archive, "localhost/a:1", {"/x": tool}, entrypoint=["/x", "now"], environment=variables
    )
    with tarfile.open(archive) as content:
        (manifest,) = read(content, "manifest.json")
        config = read(content, manifest["Config"])["config"]
    assert manifest["RepoTags"] == ["localhost/a:1"]
    assert config["Entrypoint"] == ["/x", "now"]
    assert config["User"] == "65532:65532"
    assert "COLOUR=red" in config["Env"]


def test_files_of_an_image_are_roots_and_only_their_right_to_run_is_kept(
    tool: Path, tmp_path: Path
) -> None:
    plain = tmp_path / "plain"
    plain.touch(0o600)
    archive = tmp_path / "image.tar"
    archives.write(archive, "localhost/a:1", {"/a/b/x": tool, "/y": plain}, entrypoint=["/x"])
    with tarfile.open(archive) as content:
        (manifest,) = read(content, "manifest.json")
        with tarfile.open(fileobj=content.extractfile(manifest["Layers"][0])) as layer:
            modes = {entry.name: entry.mode for entry in layer}
            assert {(entry.uid, entry.gid) for entry in layer} == {(0, 0)}
    folders = {"a": 0o755, "a/b": 0o755, "etc": 0o755, "tmp": 0o1777}
    assert modes == folders | {"a/b/x": 0o755, "y": 0o644, "etc/passwd": 0o644}


def test_the_same_files_make_the_same_bytes(tool: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copyfile(tool, tmp_path / "copy"))
    copy.chmod(0o755)
    for name, file in (("one", tool), ("two", copy)):
        archives.write(tmp_path / name, "localhost/a:1", {"/x": file}, entrypoint=["/x"])
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_a_program_that_is_not_installed_is_unavailable() -> None:
    with pytest.raises(Unavailable, match="no-such-program is not installed"):
        archives.installed("no-such-program")


@pytest.fixture(scope="session")
def roots(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """What the images hold that every cluster has, unpacked."""
    home = tmp_path_factory.mktemp("archives")
    try:
        return {one.stem: unpacked(one, home / one.stem) for one in archives.images(home)}
    except Unavailable as error:
        pytest.skip(str(error))


def test_the_image_of_redis_has_all_that_server_and_client_need(roots: dict[str, Path]) -> None:
    port = str(free_port())
    with Household() as household:
        options = ("--port", port, "--bind", HOST, "--save", "", "--dir", "/tmp")
        server = Program(household, "redis", within(roots["redis"], "redis-server", *options))
        server.start()
        ask = within(roots["redis"], "redis-cli", "-p", port, "info", "server")
        until = time.monotonic() + 10
        answer = b""
        while server.alive and not answer and time.monotonic() < until:
            answer = subprocess.run(ask, check=False, capture_output=True, timeout=10).stdout
        assert b"redis_mode:standalone" in answer, server.said


def test_pause_buries_orphans_and_ends_when_it_is_told_to(
    roots: dict[str, Path], tmp_path: Path
) -> None:
    held = tmp_path / "held"
    os.mkfifo(held)
    script = 'cat "$1" & exec "$2"'
    with Household() as household:
        command = ("sh", "-c", script, "sh", held, roots["pause"] / "pause")
        pause = Program(household, "pause", command)
        pause.start()
        held.write_bytes(b"")  # waits until it is read; then its reader ends
        until = time.monotonic() + 10
        children = Path(f"/proc/{pause.pid}/task/{pause.pid}/children")
        while children.read_text():
            assert time.monotonic() < until, children.read_text()
        os.kill(pause.pid, signal.SIGTERM)
        assert pause.ended(10) == 0


def within(root: Path, *command: str) -> tuple[str, ...]:
    """A command that sees nothing but these files, for root and for anybody."""
    here = ("unshare", "--user", "--map-root-user", f"--root={root}")
    return (*here, shutil.which(command[0]) or command[0], *command[1:])


def unpacked(archive: Path, root: Path) -> Path:
    with tarfile.open(archive) as content:
        (manifest,) = read(content, "manifest.json")
        for layer in manifest["Layers"]:
            with tarfile.open(fileobj=content.extractfile(layer)) as files:
                files.extractall(root, filter="data")
    return root


def read(archive: tarfile.TarFile, name: str) -> Any:
    content = archive.extractfile(name)
    assert content is not None
    return json.load(content)
