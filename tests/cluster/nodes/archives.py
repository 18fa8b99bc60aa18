"""Images made of this machine's own programs, as archives that `ctr images import` takes.

Promise: the same files make the same bytes. An image holds what it is told, the loader and the
libraries of its programs among it, names for the users root and nobody's 65532, and a /tmp that
everybody may write to: no shell, nothing that is downloaded.
"""

import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Final

from tests.cluster.binaries import PAUSE
from tests.cluster.go_commands import Unavailable

PAUSE_IMAGE: Final = "localhost/pause:1"
REDIS_IMAGE: Final = "localhost/redis:test"

NONROOT: Final = "65532:65532"  # of every image, unless a pod's `securityContext` says otherwise
_USERS: Final = "root:x:0:0::/:/none\nnonroot:x:65532:65532::/tmp:/none\n"
_LIBRARY: Final = re.compile(r"(?:=> )?(/\S+) \(0x")  # of a line of ldd


def images(directory: Path) -> Sequence[Path]:
    """Archives, written there, of what every cluster of ours needs: pause, and Redis for the chart.

    Raises:
        Unavailable: A program is not on this machine.
    """
    pause, redis = directory / "pause.tar", directory / "redis.tar"
    write(pause, PAUSE_IMAGE, with_libraries(PAUSE.built(), "/pause"), entrypoint=["/pause"])
    programs = {
        **with_libraries(installed("redis-server")),
        **with_libraries(installed("redis-cli")),
    }
    write(redis, REDIS_IMAGE, programs, entrypoint=["redis-server"])
    return pause, redis


def installed(program: str) -> Path:
    """Where a program of this machine is.

    Raises:
        Unavailable: It is not installed.
    """
    found = shutil.which(program)
    if found is None:
        raise Unavailable(f"{program} is not installed")
    return Path(found)


def with_libraries(program: Path, at: str | None = None) -> Mapping[str, Path]:
    """The files that a program needs to run, by where an image has them.

    Args:
        program: An executable of this machine.
        at: Where the image has it; None: where this machine has it.
    """
    done = subprocess.run(["ldd", program], check=False, capture_output=True, text=True)
    assert "not found" not in done.stdout, done.stdout
    return {path: Path(path) for path in _LIBRARY.findall(done.stdout)} | {
        at or str(program): program
    }


def write(
    path: Path,
    name: str,
    files: Mapping[str, Path],
    *,
    entrypoint: Sequence[str],
    environment: Mapping[str, str] | None = None,
) -> None:
    """Write an image of one layer; whole or not at all.

    Args:
        path: Of the archive.
        name: With a tag; `localhost/…` is looked for nowhere else.
        files: Files of this machine, by where the image has them. Links are followed; of
            permissions, only whether it may be executed is kept.
        entrypoint: What containers run, unless their pod says `command`.
        environment: Beside PATH.
    """
    layer = _layer(files)
    variables = {"PATH": "/usr/local/bin:/usr/bin:/bin", **(environment or {})}
    config = {
        "architecture": _architecture(),
        "os": "linux",
        "config": {
            "User": NONROOT,
            "Env": [f"{key}={value}" for key, value in variables.items()],
            "Entrypoint": list(entrypoint),
            "WorkingDir": "/",
        },
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{_digest(layer)}"]},
        "history": [{"created_by": "tests/cluster/nodes/archives.py"}],
    }
    said = json.dumps(config).encode()
    configured, filled = f"{_digest(said)}.json", f"{_digest(layer)}.tar"
    manifest = [{"Config": configured, "RepoTags": [name], "Layers": [filled]}]
    part = path.with_suffix(".part")
    with tarfile.open(part, "w", format=tarfile.PAX_FORMAT) as archive:
        _add(archive, filled, layer)
        _add(archive, configured, said)
        _add(archive, "manifest.json", json.dumps(manifest).encode())
    part.rename(path)


def _layer(files: Mapping[str, Path]) -> bytes:
    content = io.BytesIO()
    placed = {at.lstrip("/"): file for at, file in files.items()}
    with tarfile.open(fileobj=content, mode="w", format=tarfile.PAX_FORMAT) as layer:
        for folder in sorted({folder for at in (*placed, "etc/passwd") for folder in _above(at)}):
            _add_folder(layer, folder, 0o755)
        _add_folder(layer, "tmp", 0o1777)
        _add(layer, "etc/passwd", _USERS.encode())
        for at, file in sorted(placed.items()):
            _add(layer, at, file.read_bytes(), 0o755 if os.access(file, os.X_OK) else 0o644)
    return content.getvalue()


def _above(at: str) -> Iterator[str]:
    return (str(folder) for folder in PurePosixPath(at).parents if folder != PurePosixPath())


def _add_folder(archive: tarfile.TarFile, at: str, mode: int) -> None:
    entry = tarfile.TarInfo(at)
    entry.type, entry.mode = tarfile.DIRTYPE, mode
    archive.addfile(entry)


def _add(archive: tarfile.TarFile, at: str, content: bytes, mode: int = 0o644) -> None:
    entry = tarfile.TarInfo(at)
    entry.size, entry.mode = len(content), mode
    archive.addfile(entry, io.BytesIO(content))


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _architecture() -> str:
    machine = os.uname().machine
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)
