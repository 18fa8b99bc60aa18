"""What is in the way is one sentence: what is missing, and what to do."""

import pytest

from ingest_core.errors import ApiForbidden, ApiInvalid, ApiNotFound, ApiRefused
from ingest_core.kube.resources import CAMERAS, LEASES, PODS, SERVED, Resource
from ingest_operator.obstacles import obstacle

DENIED = 'pods is forbidden: User "system:serviceaccount:ours:o" cannot list resource "pods"'


@pytest.mark.parametrize(
    ("error", "resource", "says"),
    [
        (ApiNotFound(404, "", ""), SERVED, ("CRDs", "kubectl apply -f crds/")),
        (ApiNotFound(404, "", ""), CAMERAS, ("CRDs", "kubectl apply -f crds/")),
        (
            ApiNotFound(404, "NotFound", 'namespaces "ours" not found'),
            LEASES,
            ("no namespace ours", "kubectl create namespace ours", "--namespace"),
        ),
        (
            ApiForbidden(403, "Forbidden", DENIED),
            PODS,
            (DENIED, "camera-ingest rbac --namespace ours | kubectl apply -f -"),
        ),
        (
            ApiRefused(401, "Unauthorized", "Unauthorized"),
            PODS,
            ("does not know this account", "the kubeconfig x", "token"),
        ),
        (ApiInvalid(400, "BadRequest", "odd"), PODS, ("pods cannot be read", "odd")),
    ],
)
def test_it_says_what_is_missing_and_what_to_do(
    error: ApiRefused, resource: Resource, says: tuple[str, ...]
) -> None:
    sentence = str(obstacle(error, resource, "ours", "the kubeconfig x"))
    assert all(part in sentence for part in says), sentence
    assert "\n" not in sentence
