"""A shell in a checkout, as a person has it who follows a document."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.cluster.command_line import Failed
from tests.cluster.guide import ROOT

SECONDS: Final = 300.0


@dataclass(frozen=True, slots=True)
class Foreground:
    """A command that goes on in a terminal of its own until Ctrl-C."""

    text: str
    process: "subprocess.Popen[bytes]"
    log: Path

    @property
    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def wait_for(self, words: str) -> str:
        """Everything that it said, as soon as these words are in it."""
        deadline = time.monotonic() + SECONDS
        while words not in (said := self.said):
            assert self.process.poll() is None, f"{self.text} has ended: {said}"
            assert time.monotonic() < deadline, f"{self.text} does not say {words!r}: {said}"
            time.sleep(0.05)  # a file tells nobody
        return said

    def interrupt(self) -> None:
        """Ctrl-C; returns when all of it has ended."""
        deadline = time.monotonic() + SECONDS
        os.killpg(self.process.pid, signal.SIGINT)
        self.process.wait(SECONDS)  # may be what entered a network, and goes first
        with suppress(ProcessLookupError):
            while time.monotonic() < deadline:
                os.killpg(self.process.pid, 0)
                time.sleep(0.02)  # they are nobody's children, and tell nobody
            raise AssertionError(f"{self.text} goes on after Ctrl-C: {self.said}")


@dataclass(frozen=True, slots=True)
class Shell:
    """Runs commands by bash, and takes the failure of any part of one for its own.

    Attributes:
        directory: Where they are typed; `checkout` makes one.
        environment: Variables that differ from this process's.
        within: A command that runs another one in some network; none: in this one.
    """

    directory: Path
    environment: Mapping[str, str]
    within: Sequence[str] = ()

    def run(self, text: str) -> str:
        """What a command printed.

        Raises:
            Failed: It, or a part of it, ended with an error.
        """
        done = subprocess.run(
            self._command(text),
            env={**os.environ, **self.environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )
        if done.returncode != 0:
            raise Failed(f"{text}: {done.returncode}: {done.stderr}{done.stdout}")
        return done.stdout

    @contextmanager
    def begin(self, text: str) -> Iterator[Foreground]:
        """A command that goes on until the block ends, then is interrupted."""
        log = self.directory / f"terminal-{time.monotonic_ns()}.log"
        with log.open("wb") as said:
            process = subprocess.Popen(
                self._command(text),
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                start_new_session=True,
            )
        foreground = Foreground(text, process, log)
        try:
            yield foreground
            if process.poll() is None:
                foreground.interrupt()
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _command(self, text: str) -> list[str]:
        # Who enters a network loses his place; and Ctrl-C may be ignored here, as below `nohup`.
        there = ("env", f"--chdir={self.directory}", "--default-signal=INT")
        return [*self.within, *there, "bash", "-euo", "pipefail", "-c", text]


def checkout(directory: Path) -> Path:
    """The files of this checkout in a directory to which a document's commands may write."""
    directory.mkdir()
    for entry in ROOT.iterdir():
        (directory / entry.name).symlink_to(entry)
    return directory
