"""A machine of its own on this one: a network, mounts, processes and cgroups that nobody shares.

Promise: when it goes off, of its own accord or because its holder died, however that came about,
every process in it is dead, and what it mounted and what its network held is gone.
"""

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psutil

from tests.cluster.programs import Household

CGROUPS: Final = Path("/sys/fs/cgroup")
NEEDED: Final = ("unshare", "nsenter", "ip")
SECONDS: Final = 120.0  # in which what is waited for ends
_CLONE_NEWNET: Final = 0x40000000

Command = Sequence[str | Path]


def network_obstacle() -> str | None:
    """Why no network can be made here; None: it can."""
    if os.geteuid() != 0:
        return "only root may make network namespaces and cgroups"
    if missing := [name for name in NEEDED if shutil.which(name) is None]:
        return f"not installed: {', '.join(missing)}"
    return None


def obstacle() -> str | None:
    """Why machines cannot be made here; None: they can."""
    if reason := network_obstacle():
        return reason
    if not (CGROUPS / "memory").is_dir():
        return "the nodes of the test cluster need cgroup v1"
    return None


@dataclass
class Machine:
    """One machine, off at first.

    Attributes:
        name: Of its cgroups, too; unique on the host.
        directory: Shared with what it mounts: containers see what is mounted below it.
    """

    household: Household
    name: str
    directory: Path
    _holder: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    _pid: int | None = None  # known exactly as long as there is a holder
    _begun: list[subprocess.Popen[bytes]] = field(default_factory=list, repr=False)

    @property
    def on(self) -> bool:
        return self._holder is not None and self._holder.poll() is None

    @property
    def pid(self) -> int:
        """Of its first process, as the host counts."""
        assert self.on, f"{self.name} is off"
        assert self._pid is not None
        return self._pid

    def start(self) -> None:
        """Switch it on; if that fails, it is off.

        Raises:
            RuntimeError: The kernel does not let it.
        """
        assert not self.on, f"{self.name} is on already"
        self.directory.mkdir(parents=True, exist_ok=True)
        for cgroup in _made_cgroups(self.name):
            self.household.order("remove", str(cgroup))
        isolated = ("--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
        init = (sys.executable, "-S", str(Path(__file__).parent / "init.py"))
        with (self.directory / "init.log").open("ab") as said:
            holder = subprocess.Popen(
                ["unshare", *isolated, *init],
                stdin=subprocess.PIPE,
                stderr=said,
                start_new_session=True,
            )
        try:
            self._pid = _only_child(holder)
        except BaseException:
            holder.kill()  # and so the kernel kills its child
            _bury(holder)
            raise
        self._holder = holder
        self.household.order("kill", str(self._pid))
        try:
            self._prepare()
        except BaseException:
            self.stop()
            raise

    def _prepare(self) -> None:
        where = str(self.directory)
        self.run("mount", "--bind", where, where)
        self.run("mount", "--make-rshared", where)  # what the kubelet mounts, containers see
        self.run("ip", "link", "set", "lo", "up")

    def stop(self) -> None:
        """Everything in it dies at once, as when its power fails."""
        if self._holder is not None and self._pid is not None:
            if self.on:  # else its number may be a stranger's
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self._pid, signal.SIGKILL)
            self.household.order("spare", str(self._pid))  # before the number is free
            _bury(self._holder)  # the kernel lets the first process go when all others are gone
            self._holder = self._pid = None
            while self._begun:
                self._begun.pop().wait(SECONDS)

    def remove(self) -> None:
        """Stop it and take its cgroups away."""
        self.stop()
        for cgroup in _cgroups(self.name):
            _remove_cgroup(cgroup)

    def run(self, *command: str | Path) -> str:
        """What a command in it printed; a failure raises."""
        return run(*self.inside(command))

    def begin(self, name: str, *command: str | Path) -> None:
        """Start a program in it; what it says goes to a file of its directory."""
        log = self.directory / f"{name}.log"
        with log.open("ab") as said:
            inside = self.inside(command)
            begun = subprocess.Popen(inside, stdout=said, stderr=said, start_new_session=True)
        self._begun.append(begun)

    def inside(self, command: Command) -> list[str | Path]:
        """The command that runs another one in it."""
        return ["nsenter", f"--target={self.pid}", "--net", "--mount", "--pid", "--", *command]

    def join_network(self) -> None:
        """From now on this thread, and all that it starts, live in its network.

        Raises:
            OSError: The kernel does not let it.
        """
        with Path(f"/proc/{self.pid}/ns/net").open() as network:
            libc = ctypes.CDLL(None, use_errno=True)
            if libc.setns(network.fileno(), _CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), f"the network of {self.name} cannot be joined")


def run(*command: str | Path) -> str:
    """What a command in this thread's own network printed; a failure raises."""
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, f"{[*map(str, command)]}: {done.stderr.strip()}"
    return done.stdout


def _bury(holder: subprocess.Popen[bytes]) -> None:
    assert holder.stdin is not None
    holder.stdin.close()
    holder.wait(SECONDS)


def _only_child(process: subprocess.Popen[bytes]) -> int:
    parent = psutil.Process(process.pid)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and process.poll() is None:
        if children := parent.children():
            (child,) = children
            if child.cmdline()[:1] == [sys.executable]:  # its namespaces are made and mounted
                return child.pid
        time.sleep(0.005)
    raise RuntimeError(f"unshare failed with status {process.poll()}")


def _cgroups(name: str) -> Iterator[Path]:
    """One for each hierarchy; those that are one folder by two names once."""
    for hierarchy in sorted(CGROUPS.iterdir()):
        if hierarchy.is_dir() and not hierarchy.is_symlink():
            yield hierarchy / name


def _made_cgroups(name: str) -> list[Path]:
    made = [*_cgroups(name)]
    for cgroup in made:
        cgroup.mkdir(exist_ok=True)
        if cgroup.parent.name == "cpuset":  # empty ones take no process
            for file in ("cpuset.cpus", "cpuset.mems"):
                (cgroup / file).write_text((cgroup.parent / file).read_text())
    return made


def _remove_cgroup(cgroup: Path) -> None:
    for inner in sorted(cgroup.rglob("*/"), key=lambda path: len(path.parts), reverse=True):
        inner.rmdir()
    if cgroup.exists():
        cgroup.rmdir()
