"""Containers of the image, run by runc as a node runs them: its user, no rights, nothing writable.

Promise: a container has a network of its own, so that ports never collide; what it or runc writes
to its root is its own; and it is dead when its block ends or the process that holds it dies.
"""

import json
import os
import select
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.cluster.programs import Household
from tests.image.builder import Image

SECONDS: Final = 60.0
ANYBODY: Final = (1_000_730_000, 0)  # as OpenShift chooses users: any number, of group 0
NAMESPACES: Final = ("pid", "mount", "ipc", "uts", "network")

# Lays a folder for what is written over the image, seen by what it starts and gone with it.
OVERLAID: Final = """
mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" "$2/root"
shift 2
exec "$@"
"""

# Asks until it is answered with a 200, within a container, where there is no curl.
FETCH: Final = """
import sys, time, urllib.request
until = time.monotonic() + 20
while True:
    try:
        with urllib.request.urlopen(sys.argv[1], timeout=5) as answer:
            sys.stdout.buffer.write(answer.read())
            break
    except OSError:
        if time.monotonic() > until:
            raise
        time.sleep(0.02)
"""


@dataclass(frozen=True, slots=True)
class Way:
    """How a container is run.

    Attributes:
        user: Numbers of user and group; None: the image's.
        read_only: Nothing but what is mounted can be written.
        tmp: /tmp is a file system in memory.
        files: Files and folders of this machine, by where they are seen, writable.
        environment: Beside the image's.
    """

    user: tuple[int, int] | None = None
    read_only: bool = True
    tmp: bool = False
    files: Mapping[str, Path] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)


AS_IT_IS: Final = Way()


@dataclass(frozen=True, slots=True)
class Container:
    """A running container."""

    home: Path
    name: str

    @property
    def said(self) -> str:
        return (self.home / "log").read_text()

    def run(self, *command: str) -> bytes:
        """Run one more command in it; what it printed. A failure raises."""
        done = subprocess.run(
            [*_runc(self.home), "exec", self.name, *command],
            capture_output=True,
            check=False,
            timeout=SECONDS,
        )
        assert done.returncode == 0, f"{done.stderr.decode()}\n{self.said}"
        return done.stdout

    def begin(self, *command: str) -> None:
        """Start one more program in it."""
        with (self.home / "log").open("ab") as log:
            start = [*_runc(self.home), "exec", "--detach", self.name, *command]
            subprocess.run(start, check=True, stdout=log, stderr=log, timeout=SECONDS)

    def wait(self) -> None:
        """Return when its program has ended."""
        try:
            pid = os.pidfd_open(int((self.home / "pid").read_text()))
        except ProcessLookupError:
            return
        try:
            ended, _, _ = select.select([pid], [], [], SECONDS)
        finally:
            os.close(pid)
        assert ended, self.said

    def fetch(self, url: str) -> bytes:
        """The body of a URL of it, as soon as it is served."""
        return self.run("python3", "-c", FETCH, url)


def run(image: Image, *command: str, way: Way = AS_IT_IS) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end: one of ours, or Python, which is all there is beside."""
    with Household() as household:
        home, name = household.directory, _name(household)
        bundle(image, home, command, way)
        begin = [*_overlaid(image, home), *_runc(home), "run", "--bundle", str(home), name]
        try:
            return subprocess.run(
                begin, capture_output=True, text=True, check=False, timeout=SECONDS
            )
        except subprocess.TimeoutExpired:
            subprocess.run([*_runc(home), "delete", "--force", name], check=True, timeout=SECONDS)
            raise


@contextmanager
def running(image: Image, *command: str, way: Way = AS_IT_IS) -> Iterator[Container]:
    """Run a command until the block ends."""
    with Household() as household:
        home = household.directory
        bundle(image, home, command, way)
        name = _name(household)
        pid = home / "pid"
        create = [*_runc(home), "create", "--bundle", str(home), "--pid-file", str(pid), name]
        create = [*_overlaid(image, home), *create]
        with (home / "log").open("ab") as log:
            subprocess.run(create, check=True, stdout=log, stderr=log, timeout=SECONDS)
        household.order("kill", pid.read_text())
        try:
            subprocess.run([*_runc(home), "start", name], check=True, timeout=SECONDS)
            yield Container(home, name)
        finally:
            subprocess.run([*_runc(home), "delete", "--force", name], check=True, timeout=SECONDS)
            household.order("spare", pid.read_text())


def _overlaid(image: Image, home: Path) -> tuple[str, ...]:
    for part in ("upper", "work", "root"):
        (home / part).mkdir()
    return ("unshare", "--mount", "sh", "-ec", OVERLAID, "overlaid", str(image.root), str(home))


def _runc(home: Path) -> tuple[str, ...]:
    return ("runc", "--root", str(home / "runc"))


def _name(household: Household) -> str:
    return household.directory.name


def bundle(image: Image, home: Path, command: Sequence[str], way: Way) -> None:
    """Write what runc is told of a command: one of ours, or Python."""
    user, group = way.user or map(int, image.config["User"].split(":"))
    ours = "python3" not in command[:1]
    given = [f"{key}={value}" for key, value in way.environment.items()]
    spec: dict[str, Any] = {
        "ociVersion": "1.0.2",
        "process": {
            "args": [*(image.config["Entrypoint"] if ours else ()), *command],
            "cwd": image.config.get("WorkingDir") or "/",
            "env": [*image.config["Env"], *given],
            "user": {"uid": user, "gid": group},
            "noNewPrivileges": True,
            "capabilities": {},
        },
        "root": {"path": str(home / "root"), "readonly": way.read_only},
        "mounts": [*_mounts(way)],
        "linux": {"namespaces": [{"type": kind} for kind in NAMESPACES]},
    }
    (home / "config.json").write_text(json.dumps(spec))


def _mounts(way: Way) -> Iterator[Mapping[str, Any]]:
    yield {"destination": "/proc", "type": "proc", "source": "proc"}
    yield {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["mode=755"]}
    if way.tmp:
        options = ["nosuid", "nodev", "noexec", "mode=1777", "size=64m"]
        yield {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": options}
    for where, what in way.files.items():
        yield {"destination": where, "type": "bind", "source": str(what), "options": ["bind", "rw"]}
