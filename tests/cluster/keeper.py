"""Ends what a test process began, however that process ends. A program of its own.

It reads lines from a pipe whose other end only the test process holds, and acts when the pipe
closes, which the kernel does even after SIGKILL: `kill PID` and `remove DIRECTORY` are done then,
`spare PID` takes a `kill` back. It must never outlive its pipe nor need anything of the project.
"""

import contextlib
import os
import shutil
import signal
import sys
import time
from pathlib import Path


def main() -> None:
    programs: set[int] = set()
    directories: set[str] = set()
    for line in sys.stdin:
        order, _, what = line.rstrip("\n").partition(" ")
        if order == "kill":
            programs.add(int(what))
        elif order == "spare":
            programs.discard(int(what))
        elif order == "remove":
            directories.add(what)
    for pid in programs:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    for pid in programs:
        _await_gone(pid)
    for directory in directories:
        shutil.rmtree(directory, ignore_errors=True)


def _await_gone(pid: int) -> None:
    """What a dying process holds, a cgroup say, cannot be removed."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and Path(f"/proc/{pid}").exists():
        time.sleep(0.01)  # it is no child of ours, so nothing tells


if __name__ == "__main__":
    main()
