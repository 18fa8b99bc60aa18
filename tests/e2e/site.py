"""Where the tests of real pods run: our own cluster of nodes, or the one that a person gives.

A person's is taken only when these tests are asked for by name, `KUBECONFIG=… make test SUITE=e2e`:
who has a cluster in his environment must not find tests in it because he ran `make test`.
"""

import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from tests.cluster.binaries import KUBECTL
from tests.cluster.command_line import CommandLine
from tests.cluster.nodes import cluster
from tests.cluster.nodes.cluster import Cluster
from tests.cluster.nodes.installation import Installation

GIVEN: Final = "CAMERA_INGEST_KUBECONFIG"  # set by tools/run_tests.py
GIVEN_IMAGE: Final = "CAMERA_INGEST_IMAGE"  # REPOSITORY:TAG, from where that cluster has it

# Several releases share nodes of which each says that it has this machine's processors.
SMALL: Final = {"requests": {"cpu": "50m", "memory": "128Mi"}}

_FORWARDED: Final = re.compile(r"Forwarding from (127\.0\.0\.1:\d+)")


@dataclass(frozen=True, slots=True)
class Site:
    """A cluster and whoever may do everything in it.

    Attributes:
        admin: Types in `default` unless told otherwise.
        nodes: Our own cluster's nodes and control plane, to be broken. None: it is a person's.
        image: Values of the chart that say where our image is.
    """

    admin: CommandLine
    nodes: Cluster | None
    image: Mapping[str, Any]

    def within(self, namespace: str) -> CommandLine:
        """The same person in a namespace."""
        return replace(self.admin, namespace=namespace)

    def installation(self, namespace: str, values: Mapping[str, Any] | None = None) -> Installation:
        """A release that is not installed yet; its workers ask for less than a chart's user's."""
        given = {**self.image, **(values or {}), "pool.spec.worker.resources": SMALL}
        return Installation(self.within(namespace), values=given)

    @contextmanager
    def with_values(self, namespace: str, values: Mapping[str, Any]) -> Iterator[None]:
        """The suite's own release in a namespace, with more values until the block ends."""
        self.installation(namespace, values).install()
        try:
            yield
        finally:
            self.installation(namespace).install()


@contextmanager
def site() -> Iterator[Site]:
    """The one site of a test run; our own cluster is there until the block ends.

    Raises:
        Unavailable: It cannot be had here; the text says why.
    """
    with tempfile.TemporaryDirectory(prefix="camera-ingest-") as home:
        if given := os.environ.get(GIVEN):
            image = _image(os.environ.get(GIVEN_IMAGE, ""))
            yield Site(CommandLine(Path(given), Path(home)), None, image)
            return
        with cluster.running() as nodes:
            yield Site(CommandLine(nodes.kubeconfig, Path(home)), nodes, {})


@contextmanager
def forwarded(by: CommandLine, target: str, port: int) -> Iterator[str]:
    """HOST:PORT of this machine that leads to a port of a pod or Service: `service/gateway`."""
    place = f"--namespace={by.namespace}"
    with by.begin(str(KUBECTL), place, "port-forward", target, f":{port}") as forward:
        try:
            assert forward.stdout is not None
            said = forward.stdout.readline()
            found = _FORWARDED.match(said)
            assert found, said
            yield found[1]
        finally:
            forward.kill()


def _image(reference: str) -> dict[str, Any]:
    if not reference:
        return {}
    repository, _, tag = reference.rpartition(":")
    return {"image": {"repository": repository, "tag": tag}}
