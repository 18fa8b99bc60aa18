"""The directory's files: listed, read within bounds, and written so that a kill leaves old or new.

The one place that touches the disk; all of it blocks. A write goes to a temporary file, which is
synced, renamed over the old one, and made to last by syncing the directory.
"""

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from ingest_standalone.yaml_documents import MAX_BYTES

_TEMPORARY: Final = ".tmp-"
_SUFFIXES: Final = (".yaml", ".yml")
PRIVATE: Final = 0o600
PUBLIC: Final = 0o644


class Signature(NamedTuple):
    """What a file looks like from outside: it is read again when this changes."""

    inode: int = 0
    size: int = 0
    modified: int = 0
    changed: int = 0
    mode: int = 0
    owner: int = 0


@dataclass(frozen=True, slots=True)
class Bytes:
    """What is in a file, and why it is no place for a Secret; None: only we may read it."""

    data: bytes
    exposed: str | None


class Disk:
    """One directory. Every method may raise OSError."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def prepare(self) -> None:
        """Make the directory if there is none."""
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except FileExistsError:
            raise NotADirectoryError(errno.ENOTDIR, "is not a directory") from None

    def listed(self) -> dict[str, Signature]:
        """Manifest files by name, sorted: what editors leave behind (`.x.swp`, `x~`) is none."""
        with os.scandir(self.path) as entries:
            found = {entry.name: _signature(entry) for entry in entries if _counts(entry.name)}
        return dict(sorted(found.items()))

    def read(self, file: str) -> Bytes:
        """Its bytes, at most one more than the limit; never waits on a pipe."""
        descriptor = os.open(self.path / file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as opened:  # noqa: PTH123 - it is open already
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise OSError("is not a regular file")
            return Bytes(opened.read(MAX_BYTES + 1), _exposed(status))

    def write(self, file: str, data: bytes, mode: int) -> None:
        """Put a whole file in place of the old one, if any, or leave the old one as it was."""
        temporary = self.path / f"{_TEMPORARY}{secrets.token_hex(8)}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        try:
            with open(os.open(temporary, flags, mode), "wb") as opened:  # noqa: PTH123 - mode
                opened.write(data)
                opened.flush()
                os.fsync(opened.fileno())
            temporary.replace(self.path / file)
        except OSError:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise
        self._sync()

    def remove(self, file: str) -> None:
        """Take a file away; one that is away already is no error."""
        (self.path / file).unlink(missing_ok=True)
        self._sync()

    def exists(self, file: str) -> bool:
        return os.path.lexists(self.path / file)

    def is_link(self, file: str) -> bool:
        return (self.path / file).is_symlink()

    def sweep(self) -> None:
        """Remove what a killed write left behind."""
        for left in self.path.glob(f"{_TEMPORARY}*"):
            left.unlink(missing_ok=True)

    def _sync(self) -> None:
        with _directory(self.path) as descriptor:
            os.fsync(descriptor)


@contextlib.contextmanager
def _directory(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _exposed(status: os.stat_result) -> str | None:
    if status.st_uid != os.geteuid():
        us = os.geteuid()
        return f"must belong to user {us}: its owner is user {status.st_uid}; run chown {us}"
    mode = stat.S_IMODE(status.st_mode)
    if not mode & 0o077:
        return None
    return f"must be readable by its owner only: its mode is {mode:04o}; run chmod 600"


def _counts(name: str) -> bool:
    return name.endswith(_SUFFIXES) and not name.startswith((".", "#"))


def _signature(entry: os.DirEntry[str]) -> Signature:
    try:
        status = entry.stat()
    except OSError:
        return Signature()  # reading it will say why
    return Signature(
        inode=status.st_ino,
        size=status.st_size,
        modified=status.st_mtime_ns,
        changed=status.st_ctime_ns,
        mode=status.st_mode,
        owner=status.st_uid,
    )
