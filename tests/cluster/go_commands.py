"""Commands of Go modules, built once from a go.sum that pins them.

Promise: what is built lies outside the checkout, keyed by all that decides what it is, but for Go
itself; it appears there whole or not at all, and is never built twice at once. Nothing is
downloaded but Go modules, by `go`.
"""

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.cluster import cache

HERE = Path(__file__).resolve().parent


class Unavailable(Exception):
    """A program is not to be had here; the text says why."""


@dataclass(frozen=True, slots=True)
class GoCommand:
    """One command.

    Attributes:
        name: Of the program.
        version: Of its module, as go.mod beside `folder` has it.
        folder: With go.mod and, unless it needs no other module, go.sum, beside this file.
        package: What is built.
        stamps: Variables that a release's build sets, and their values: else it knows no version.
        tags: What its sources ask to be told, as which parts to leave out.
    """

    name: str
    version: str
    folder: str
    package: str
    stamps: Mapping[str, str] = field(default_factory=dict)
    tags: tuple[str, ...] = ()

    @property
    def target(self) -> Path:
        """Where it is once it was built."""
        key = key_of(self, (HERE / self.folder).iterdir())
        return cache.folder() / f"{self.folder}-{key}" / self.name

    def reason_to_build(self) -> str | None:
        """What `built` would build, as a line for people; None: nothing, or it cannot."""
        if self.target.exists() or shutil.which("go") is None:
            return None
        return f"Building {self.name} {self.version} (once, minutes) into {self.target.parent} ..."

    def built(self) -> Path:
        """The program, built now if it is missing.

        Raises:
            Unavailable: It is not here and cannot be made.
        """
        return cache.made_once(self.target, self._build)

    @property
    def options(self) -> tuple[str, ...]:
        """Of `go build`."""
        flags = " ".join(("-s -w", *(f"-X {key}={value}" for key, value in self.stamps.items())))
        return ("-ldflags", flags, "-tags", ",".join(self.tags))

    def _build(self, part: Path) -> None:
        go = shutil.which("go")
        if go is None:
            raise Unavailable(f"there is no Go to build {self.name} with")
        command = [go, "build", *self.options, "-o", str(part), self.package]
        folder = HERE / self.folder
        done = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)
        if done.returncode != 0:
            raise Unavailable(f"{self.name} does not build: {done.stderr.strip()[-500:]}")


def key_of(command: GoCommand, files: Iterable[Path]) -> str:
    """Another one for whatever else would be built from these files: what `go` is told, and them.

    Args:
        command: Its `name` and `version` only say what it is called.
        files: Of its folder.
    """
    digest = hashlib.sha256(repr((command.package, *command.options)).encode())
    for file in sorted(file for file in files if file.suffix in (".go", ".mod", ".sum")):
        digest.update(f"\0{file.name}\0".encode() + file.read_bytes())
    return digest.hexdigest()[:12]


def build_as_program(commands: Iterable[GoCommand], build: Callable[[], object]) -> int:
    """Say what of these is built and run `build`, which builds them; the status of a program."""
    for command in commands:
        if line := command.reason_to_build():
            print(line, file=sys.stderr, flush=True)  # noqa: T201 - a program's own output
    try:
        build()
    except Unavailable as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    return 0
