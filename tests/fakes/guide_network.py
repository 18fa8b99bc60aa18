"""Networks that have the cameras of README and guides: a new one, or that of this thread.

Promise: when the block ends, or the process that holds it dies of whatever cause, the cameras are
gone, and so is everything that was started in a new network.
"""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.cluster.guide import ROOT
from tests.fakes.guide_cameras import READY

ISOLATED: Final = ("--net", "--pid", "--mount-proc", "--fork", "--kill-child")
_UP: Final = 'ip link set lo up; exec "$@"'


@contextmanager
def new_network() -> Iterator[Sequence[str]]:
    """One that nobody else is in; yields the command that runs another one there."""
    with _cameras("unshare", *ISOLATED, "sh", "-ec", _UP, "sh") as process:
        (pid,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        yield ("nsenter", f"--target={pid}", "--net", "--pid", "--mount", "--")


@contextmanager
def cameras_here() -> Iterator[None]:
    """The cameras in the network of this thread."""
    with _cameras():
        yield


@contextmanager
def _cameras(*within: str) -> Iterator["subprocess.Popen[str]"]:
    command = [*within, sys.executable, "-m", "tests.fakes.guide_cameras"]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        said = process.stdout.readline()
        assert said.strip() == READY, said
        yield process  # leaving the block closes its standard input, and waits for it
