"""Programs under measurement: started on a core, watched from outside, ended with the block.

CPU and memory are the kernel's figures of the whole process; nothing runs in it to take them.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, TypeVar

import msgspec

T = TypeVar("T")

MEASURED_CORE: Final = 0
"""What is measured on one core has this one; what feeds it, another."""
OTHER_CORE: Final = 1
_CPU_OF_PROCESS: Final = 2  # the low bits of such a clock's id: clock_getcpuclockid(3)
_END_SECONDS: Final = 10.0
_ROOT: Final = Path(__file__).parent.parent


class BenchError(Exception):
    """A part could not be measured, and why."""


class Child:
    """A process that answers each line of JSON on its standard input with one on its output."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def cpu(self) -> float:
        """Seconds of CPU, user and system, of all its threads since its start."""
        return time.clock_gettime((~self.pid << 3) | _CPU_OF_PROCESS)

    @property
    def memory(self) -> int:
        """Bytes: its proportional set size, which counts shared pages by their share."""
        for row in Path(f"/proc/{self.pid}/smaps_rollup").read_text().splitlines():
            if row.startswith("Pss:"):
                return int(row.split()[1]) * 1024
        raise BenchError("the kernel tells no proportional set size")

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def say(self, value: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(msgspec.json.encode(value) + b"\n")
        self._process.stdin.flush()

    def hear(self, type_: type[T]) -> T:
        """The next line that it prints."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise BenchError(f"{self._process.args!r} ended")
        return msgspec.json.decode(line, type=type_)

    def ask(self, value: object, type_: type[T]) -> T:
        self.say(value)
        return self.hear(type_)


def busy(core: int) -> float:
    """Seconds for which anything had this core since the machine began, the hypervisor included."""
    for row in Path("/proc/stat").read_text().splitlines():
        name, *ticks = row.split()
        if name == f"cpu{core}":
            user, nice, system, _idle, _wait, *rest = map(int, ticks[:8])
            return (user + nice + system + sum(rest)) / os.sysconf("SC_CLK_TCK")
    raise BenchError(f"the kernel tells nothing of core {core}")


@contextlib.contextmanager
def running(
    command: Sequence[str],
    *,
    core: int | None = None,
    environment: Mapping[str, str] | None = None,
    quiet: bool = True,
) -> Iterator[Child]:
    """Run a program until the block ends; on one core, if told."""
    allowed = os.sched_getaffinity(0)
    if core is not None:
        if core not in allowed:
            raise BenchError("two cores are needed: one is measured, one feeds it")
        os.sched_setaffinity(0, {core})  # a child inherits it, before its first thread
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL if quiet else None,
            cwd=_ROOT,
            env={**os.environ, **(environment or {})},
        )
    except FileNotFoundError:
        raise BenchError(f"{command[0]} is not installed") from None
    finally:
        os.sched_setaffinity(0, allowed)
    with process:
        try:
            yield Child(process)
        finally:
            end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """Ask it to end, then make it."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()


def python(module: str, *arguments: str) -> list[str]:
    """The command that runs one of our modules, without warnings on its output."""
    return [sys.executable, "-m", module, *arguments]
