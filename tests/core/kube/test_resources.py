"""Every path that we call, letter by letter."""

import pytest

from ingest_core.kube import resources
from ingest_core.kube.resources import CAMERAS, PODS, STATEFUL_SETS, Resource

ALL = {name: one for name, one in vars(resources).items() if isinstance(one, Resource)}


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("CAMERAS", "/apis/camera-ingest.io/v1alpha1/namespaces/ns/cameras"),
        ("POOLS", "/apis/camera-ingest.io/v1alpha1/namespaces/ns/camerapools"),
        ("LEASES", "/apis/coordination.k8s.io/v1/namespaces/ns/leases"),
        ("PODS", "/api/v1/namespaces/ns/pods"),
        ("SECRETS", "/api/v1/namespaces/ns/secrets"),
        ("SERVICES", "/api/v1/namespaces/ns/services"),
        ("SERVICE_ACCOUNTS", "/api/v1/namespaces/ns/serviceaccounts"),
        ("EVENTS", "/api/v1/namespaces/ns/events"),
        ("STATEFUL_SETS", "/apis/apps/v1/namespaces/ns/statefulsets"),
        ("DISRUPTION_BUDGETS", "/apis/policy/v1/namespaces/ns/poddisruptionbudgets"),
        ("ROLES", "/apis/rbac.authorization.k8s.io/v1/namespaces/ns/roles"),
        ("ROLE_BINDINGS", "/apis/rbac.authorization.k8s.io/v1/namespaces/ns/rolebindings"),
        ("SERVED", "/apis/camera-ingest.io/v1alpha1"),
    ],
)
def test_each_collection_is_where_the_api_has_it(name: str, path: str) -> None:
    assert ALL[name].path("ns") == path


def test_none_is_left_out() -> None:
    assert len(ALL) == 13


def test_an_object_and_a_part_of_it_are_below_the_collection() -> None:
    assert CAMERAS.path("ns", "lobby") == f"{CAMERAS.path('ns')}/lobby"
    assert CAMERAS.path("ns", "lobby", "status") == f"{CAMERAS.path('ns')}/lobby/status"


@pytest.mark.parametrize(("name", "quoted"), [("a b", "a%20b"), ("a?b#c%", "a%3Fb%23c%25")])
def test_no_name_leaves_its_place_in_the_path(name: str, quoted: str) -> None:
    assert PODS.path("ns", name) == f"/api/v1/namespaces/ns/pods/{quoted}"
    assert PODS.path(name) == f"/api/v1/namespaces/{quoted}/pods"


@pytest.mark.parametrize("name", [".", "..", "a/b", "../nodes"])
def test_a_name_that_means_another_place_is_none(name: str) -> None:
    with pytest.raises(ValueError, match="named"):
        PODS.path("ns", name)
    with pytest.raises(ValueError, match="named"):
        PODS.path(name)


def test_the_api_version_of_the_core_has_no_group() -> None:
    assert PODS.api_version == "v1"
    assert STATEFUL_SETS.api_version == "apps/v1"
