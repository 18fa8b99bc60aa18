"""The Prometheus Operator and its Prometheus in a cluster, installed by their own manifests.

That Prometheus takes the ServiceMonitors, PodMonitors and PrometheusRules of every namespace.
Images have the names by which the manifests ask for them; where the pods are, Pod Security is
enforced.

    for image in monitoring.images(directory):
        cluster.load(image)
    monitoring.install_operator(by)
    ...  # what makes monitors and rules: their kinds are there now
    monitoring.install_prometheus(by)

In this order, for a kubelet may take a minute to bring into a pod what changes later.

As a program it builds all of it, which nobody can who has joined the cluster's network:
`python -m tests.cluster.nodes.monitoring`.
"""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from tests.cluster.binaries import (
    PROMETHEUS,
    PROMETHEUS_CONFIG_RELOADER,
    PROMETHEUS_OPERATOR,
    PROMETHEUS_RELEASE,
)
from tests.cluster.command_line import CommandLine
from tests.cluster.go_commands import GoCommand, build_as_program
from tests.cluster.go_modules import downloaded
from tests.cluster.nodes.archives import with_libraries, write
from tests.cluster.nodes.images import Image

NAMESPACE: Final = "monitoring"

MODULE: Final = f"github.com/prometheus-operator/prometheus-operator@{PROMETHEUS_OPERATOR.version}"
_RIGHTS: Final = Path("example", "rbac", "prometheus")
_BUILT: Final = (PROMETHEUS_OPERATOR, PROMETHEUS_CONFIG_RELOADER, PROMETHEUS)

MANIFEST: Final = f"""\
apiVersion: monitoring.coreos.com/v1
kind: Prometheus
metadata: {{name: prometheus}}
spec:
  version: v{PROMETHEUS_RELEASE}
  evaluationInterval: 1s
  serviceAccountName: prometheus
  serviceMonitorNamespaceSelector: {{}}
  serviceMonitorSelector: {{}}
  podMonitorNamespaceSelector: {{}}
  podMonitorSelector: {{}}
  ruleNamespaceSelector: {{}}
  ruleSelector: {{}}
  securityContext:
    fsGroup: 65534
    runAsNonRoot: true
    runAsUser: 65534
    seccompProfile: {{type: RuntimeDefault}}
  resources:
    requests: {{memory: 128Mi}}
"""


def images(directory: Path) -> Sequence[Image]:
    """The images of all three programs, written to a directory.

    Raises:
        tests.cluster.go_commands.Unavailable: A program is not to be had here.
    """
    theirs = "quay.io/prometheus-operator"
    operator = f"{theirs}/prometheus-operator:{PROMETHEUS_OPERATOR.version}"
    reloader = f"{theirs}/prometheus-config-reloader:{PROMETHEUS_CONFIG_RELOADER.version}"
    prometheus = f"quay.io/prometheus/prometheus:v{PROMETHEUS_RELEASE}"
    return (
        _image(directory, operator, PROMETHEUS_OPERATOR, "/bin/operator"),
        _image(directory, reloader, PROMETHEUS_CONFIG_RELOADER, "/bin/prometheus-config-reloader"),
        _image(directory, prometheus, PROMETHEUS, "/bin/prometheus"),
    )


def install_operator(by: CommandLine) -> None:
    """Install the Operator and its kinds, and wait until it reconciles.

    Args:
        by: Somebody who may do everything.
    """
    here = replace(by, namespace=NAMESPACE)
    here.kubectl("create", "namespace", NAMESPACE)
    here.kubectl("label", "namespace", NAMESPACE, "pod-security.kubernetes.io/enforce=restricted")
    _apply(here, Path("bundle.yaml"))
    here.kubectl("rollout", "status", "deployment/prometheus-operator", "--timeout=3m")


def install_prometheus(by: CommandLine) -> None:
    """Have the Operator make a Prometheus, and wait until it answers.

    Args:
        by: Somebody who may do everything.
    """
    here = replace(by, namespace=NAMESPACE)
    for manifest in ("service-account", "cluster-role", "cluster-role-binding"):
        _apply(here, _RIGHTS / f"prometheus-{manifest}.yaml")
    here.kubectl("apply", "--filename=-", stdin=MANIFEST)
    available = ("--for=condition=Available", "--timeout=3m")
    here.kubectl("wait", "prometheus/prometheus", *available)


def address(by: CommandLine) -> str:
    """HOST:PORT of the Prometheus, which is there, for whoever is in the cluster's network."""
    here = replace(by, namespace=NAMESPACE)
    pod = ("pod/prometheus-prometheus-0", "--output=jsonpath={.status.podIP}")
    return f"{here.kubectl('get', *pod)}:9090"


def _image(directory: Path, name: str, command: GoCommand, at: str) -> Image:
    archive = directory / f"{command.name}.tar"
    write(archive, name, with_libraries(command.built(), at), entrypoint=[at])
    return Image(archive, name)


def _apply(here: CommandLine, manifest: Path) -> None:
    """Apply what a shipped file says of the namespace `default` to ours."""
    text = (downloaded(MODULE) / manifest).read_text()
    ours = text.replace("namespace: default\n", f"namespace: {NAMESPACE}\n")
    here.kubectl("apply", "--server-side", "--filename=-", stdin=ours)


def build() -> None:
    """Build and fetch what is missing.

    Raises:
        Unavailable: Something is not here and cannot be made.
    """
    downloaded(MODULE)
    for command in _BUILT:
        command.built()


if __name__ == "__main__":
    sys.exit(build_as_program(_BUILT, build))
