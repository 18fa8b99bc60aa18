"""The folder by which `up`, `down` and the holder of a person's cluster know of each other.

A holder that was killed leaves it behind: nothing in it is to be believed unless a holder lives.
"""

import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class State:
    """See the module."""

    folder: Path

    @property
    def log(self) -> Path:
        """What the holder says."""
        return self.folder / "log"

    @property
    def kubeconfig(self) -> Path:
        """For who is in the cluster's network."""
        return self.folder / "kubeconfig"

    @property
    def enter(self) -> Path:
        """A script; there when all is ready."""
        return self.folder / "enter"

    def holder(self) -> int | None:
        """A descriptor of the process that holds the cluster; None: there is none."""
        with suppress(FileNotFoundError, ProcessLookupError, ValueError):
            pid = int(self._pid.read_text())
            holder = os.pidfd_open(pid)
            if b"tests.cluster.nodes" in Path(f"/proc/{pid}/cmdline").read_bytes():
                return holder
            os.close(holder)
        return None

    def renew(self) -> None:
        """Make it, without anything that a holder before left."""
        self.remove()
        self.folder.mkdir()

    def hold(self, pid: int) -> None:
        """Say who the holder is."""
        self._pid.write_text(str(pid))

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def _pid(self) -> Path:
        return self.folder / "pid"
