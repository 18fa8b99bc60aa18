"""Programs that can be killed, frozen and started again, and that never outlive the tests.

Promise: when a `Household` closes, or the process that holds it dies of whatever cause, its
programs are dead and its directory is gone.
"""

import contextlib
import random
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

HOST = "127.0.0.1"
BEGINS_ANEW = "operator_begins_anew"  # what an operator says that lost its Lease
PORTS = range(20000, 32768)  # below what the kernel gives to clients: nobody takes it by chance


_given: set[int] = set()


def free_port() -> int:
    """A port of loopback that is still free when a program that left it comes back.

    None is given twice by one process: who was given it may not listen yet.
    """
    for port in random.sample(PORTS, len(PORTS)):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((HOST, port))
            if port not in _given:
                _given.add(port)
                return port
    raise RuntimeError("no port is free")


class Household:
    """A directory in memory, and the programs that live on it; a context manager."""

    def __init__(self) -> None:
        memory = Path("/dev/shm")  # etcd syncs each write: to a disk, that is most of a test's time
        within = memory if memory.is_dir() else None
        self.directory = Path(tempfile.mkdtemp(prefix="camera-ingest-", dir=within))
        keeper = [sys.executable, "-S", str(Path(__file__).parent / "keeper.py")]
        self._keeper = subprocess.Popen(
            keeper, stdin=subprocess.PIPE, text=True, bufsize=1, start_new_session=True
        )
        self.order("remove", str(self.directory))
        self.programs: list[Program] = []

    def order(self, order: str, what: str) -> None:
        """Tell the keeper what to do at the end."""
        assert self._keeper.stdin is not None
        self._keeper.stdin.write(f"{order} {what}\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for program in self.programs:
            program.kill()
        assert self._keeper.stdin is not None
        self._keeper.stdin.close()
        self._keeper.wait()


@dataclass
class Program:
    """One program of a household; what it says goes to a file there.

    Attributes:
        command: What is run, each time it starts.
    """

    household: Household
    name: str
    command: Sequence[str | Path] = ()
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    _watched: bool = field(default=False, repr=False)  # the keeper would kill its number

    def __post_init__(self) -> None:
        self.household.programs.append(self)

    @property
    def alive(self) -> bool:
        if self._process is None:
            return False
        if self._process.poll() is None:
            return True
        self._spare()
        return False

    @property
    def pid(self) -> int:
        assert self._process is not None, f"{self.name} was not started"
        return self._process.pid

    @property
    def said(self) -> str:
        """The end of what it said."""
        return self._everything_said()[-20_000:]

    def times(self, event: str) -> int:
        """How often it said that something happened."""
        return self._everything_said().count(event)

    def start(self) -> None:
        assert not self.alive, f"{self.name} runs already"
        with (self.household.directory / f"{self.name}.log").open("ab") as log:
            self._process = subprocess.Popen(
                self.command, stdout=log, stderr=log, start_new_session=True
            )
        self.household.order("kill", str(self._process.pid))
        self._watched = True

    def kill(self) -> None:
        """SIGKILL, from whatever state; returns when it is gone."""
        if self._process is not None:
            self._process.kill()  # nothing to one that is reaped
            self._spare()  # before the number is free
            self._process.wait()

    def ended(self, seconds: float) -> int | None:
        """Wait until it has ended by itself: its exit status. None: it runs on after so long."""
        process = self._process_of()
        try:
            status = process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        self._spare()
        return status

    def pause(self) -> None:
        """SIGSTOP: its connections stay open and nothing answers."""
        self._process_of().send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._process_of().send_signal(signal.SIGCONT)

    def _spare(self) -> None:
        """Its number is free, or soon: the keeper must not kill whoever gets it."""
        if self._watched:
            self._watched = False
            self.household.order("spare", str(self.pid))

    def _everything_said(self) -> str:
        log = self.household.directory / f"{self.name}.log"
        return log.read_text(errors="replace") if log.exists() else ""

    def _process_of(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, f"{self.name} was not started"
        return self._process
