"""The image, built by buildah from the project's Dockerfile, once for each of its contents.

Promise: what is built lies outside the checkout, keyed by all that it is made of, appears there
whole or not at all, and is never built twice at once; a few are kept. As a program
(`python -m tests.image.builder`) it builds what is missing and prints where it is.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cluster import cache
from tests.cluster.go_commands import Unavailable
from tests.image import debian

ROOT = Path(__file__).resolve().parents[2]
NEEDED = ("buildah", "debootstrap", "runc")
NAME = "localhost/camera-ingest:test"
KEPT = 3  # of half a GB, and as much again unpacked
LENT = (Path("/etc/pip.conf"), Path("/etc/ssl/certs"))  # this machine's way to packages

_BASE = f"localhost/camera-ingest-base:{debian.KEY}"
_DEPENDENCIES = "localhost/camera-ingest-dependencies"


class Broken(Exception):
    """Everything is here and the image does not build; the text says why."""


@dataclass(frozen=True, slots=True)
class Image:
    """A built image.

    Attributes:
        archive: As `docker load` and `ctr images import` take it, by the name `NAME`.
        root: Its files, unpacked; nobody writes there.
        config: What containers of it are told: Env, User, Entrypoint, Labels.
    """

    archive: Path
    root: Path
    config: dict[str, Any]


def image() -> Image:
    """The image of this checkout, built now if it is missing (seconds, or two minutes at first).

    Raises:
        Unavailable: It is not here, and cannot be made here.
        Broken: It cannot be made anywhere.
    """
    place = cache.made_once(_target(), _build_or_say_why)
    config = json.loads((place / "config.json").read_text())["config"]
    return Image(place / "image.tar", place / "root", config)


def reason_to_build() -> str | None:
    """What `image` would build, as a line for people; None: nothing, or it cannot."""
    if _target().exists() or obstacle() is not None:
        return None
    return f"Building the image (at first two minutes, then seconds) into {_target()} ..."


def obstacle() -> str | None:
    """Why the image is not to be had here; None: it is here, or can be built."""
    if _target().exists():
        return None
    if os.geteuid() != 0:
        return "only root may build the image with buildah and debootstrap"
    missing = [name for name in NEEDED if shutil.which(name) is None]
    return f"not installed: {', '.join(missing)}" if missing else None


def sources() -> Iterator[Path]:
    """What the image is made of: what .dockerignore lets through, and the Dockerfile."""
    yield ROOT / "Dockerfile"
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        if line.startswith("!"):
            path = ROOT / line.removeprefix("!")
            files = [path] if path.is_file() else sorted(path.rglob("*"))
            yield from (one for one in files if one.is_file() and "__pycache__" not in one.parts)


def _target() -> Path:
    digest = hashlib.sha256(debian.KEY.encode())
    for file in sources():
        content = hashlib.sha256(file.read_bytes()).digest()
        digest.update(str(file.relative_to(ROOT)).encode() + b"\0" + content)
    return _cache() / f"image-{digest.hexdigest()[:12]}"


def _cache() -> Path:
    return cache.folder() / "images"


def _build_or_say_why(place: Path) -> None:
    if reason := obstacle():
        raise Unavailable(reason)
    place.mkdir()
    try:
        _build(place)
    except subprocess.CalledProcessError as error:
        raise Broken(f"the image does not build: {_said(error)}") from None
    finally:
        _tidy()


def _build(place: Path) -> None:
    if not _buildah("images", "--quiet", "--filter", f"reference={_BASE}"):
        _build_base()
    lent = [f"--volume={path}:{path}:ro" for path in LENT if path.exists()]
    build = ("build", "--layers", "--isolation=chroot", "--network=host", *lent)
    arguments = (f"--build-arg=BASE={_BASE}", str(ROOT))
    # Named, so that it outlives the pruning: it changes with constraints.txt only.
    _buildah(*build, "--target=dependencies", f"--tag={_DEPENDENCIES}", *arguments)
    _buildah(*build, f"--tag={NAME}", *arguments)
    _buildah("push", NAME, f"docker-archive:{place / 'image.tar'}:{NAME}")
    _unpack(place)


def _build_base() -> None:
    context = _cache() / "base"
    shutil.rmtree(context, ignore_errors=True)
    try:
        try:
            debian.bootstrap(context / "root")
        except subprocess.CalledProcessError as error:
            raise Unavailable(f"there is no Debian to build on: {_said(error)}") from None
        (context / "Dockerfile").write_text("FROM scratch\nCOPY root /\n")
        _buildah("build", f"--tag={_BASE}", str(context))
    finally:
        shutil.rmtree(context, ignore_errors=True)


def _said(error: subprocess.CalledProcessError) -> str:
    return f"{error.stdout}\n{error.stderr}".strip()[-2000:]


def _buildah(*arguments: str) -> str:
    store = ("--root", str(_cache() / "store"), "--runroot", str(_cache() / "run"))
    command = ("buildah", *store, "--storage-driver", "overlay", *arguments)
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return done.stdout


def _unpack(place: Path) -> None:
    """Lay the layers of the archive over each other; none of ours takes anything away."""
    with tarfile.open(place / "image.tar") as archive:
        (manifest,) = json.load(_member(archive, "manifest.json"))
        (place / "config.json").write_bytes(_member(archive, manifest["Config"]).read())
        for layer in manifest["Layers"]:
            with tarfile.open(fileobj=_member(archive, layer)) as files:
                assert not any("/.wh." in name for name in files.getnames())
                files.extractall(place / "root", filter="fully_trusted", numeric_owner=True)


def _member(archive: tarfile.TarFile, name: str) -> Any:
    member = archive.getmember(name)
    return archive.extractfile(archive.getmember(member.linkname) if member.issym() else member)


def _tidy() -> None:
    """Let go of what builds leave behind: mounts, what no name leads to, and old images."""
    _buildah("rm", "--all")
    _buildah("rmi", "--prune", "--force")
    subprocess.run(["umount", _cache() / "store/overlay"], check=False, capture_output=True)
    built = sorted(_cache().glob("image-*"), key=lambda path: path.stat().st_mtime)
    for old in built[:-KEPT]:
        shutil.rmtree(old, ignore_errors=True)


def main() -> int:
    if building := reason_to_build():
        print(building, file=sys.stderr, flush=True)  # noqa: T201 - a program's own output
    try:
        print(image().archive)  # noqa: T201
    except (Unavailable, Broken) as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
