"""One process per directory: an advisory lock that dies with its holder, however it dies."""

import fcntl
import os
from pathlib import Path
from typing import Final

from ingest_core.errors import RegistryInUse

FILE: Final = ".lock"


class DirectoryLock:
    """Held from `take` to `release`, or to the end of the process."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def take(self) -> None:
        """Lock the directory and write down who did.

        Raises:
            RegistryInUse: Another process has it; the message names the directory and the process.
            OSError: The lock file cannot be written.
        """
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        descriptor = os.open(self._path / FILE, flags, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 20, 0).decode(errors="replace").strip() or "unknown"
            os.close(descriptor)
            raise RegistryInUse(
                f"the directory {self._path} is in use by another process (pid {holder})"
            ) from None
        except OSError:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let it go; the file stays, for removing it would race with the next holder."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
