"""docs/guide/simulated-cameras.yaml is taken by an API server that warns of what is not restricted.

That its pod plays what its Cameras name: tests/image/test_simulated_cameras.py.
"""

import pytest
import yaml

from tests.cluster.client import Client
from tests.cluster.nodes.installation import SIMULATED_CAMERAS
from tests.cluster.plugin import Kubectl

MANIFESTS = SIMULATED_CAMERAS.read_text()
RESTRICTED = {"metadata": {"labels": {"pod-security.kubernetes.io/warn": "restricted"}}}
JUDGED = "apply --warnings-as-errors --dry-run=server -f -"


@pytest.fixture(autouse=True)
def _restricted(admin: Client, namespace: str) -> None:
    """Pod Security judges a Deployment by a warning, and in the words in which it refuses a pod."""
    admin.merge(f"/api/v1/namespaces/{namespace}", RESTRICTED)


def test_they_are_accepted_without_a_warning(kubectl: Kubectl) -> None:
    accepted = kubectl(*JUDGED.split(), stdin=MANIFESTS).stdout.splitlines()
    assert [line.split()[0] for line in accepted] == [
        "secret/simulated-login",
        "deployment.apps/simulator",
        "service/simulator",
        "camera.camera-ingest.io/lobby",
        "camera.camera-ingest.io/yard",
        "camera.camera-ingest.io/door",
    ]


def test_a_pod_that_is_not_restricted_is_warned_of(kubectl: Kubectl) -> None:
    manifests = list(yaml.safe_load_all(MANIFESTS))
    (deployment,) = (one for one in manifests if one["kind"] == "Deployment")
    del deployment["spec"]["template"]["spec"]["securityContext"]
    judged = kubectl(*JUDGED.split(), stdin=yaml.safe_dump_all(manifests), check=False)
    assert judged.returncode != 0
    assert "would violate PodSecurity" in judged.stderr
