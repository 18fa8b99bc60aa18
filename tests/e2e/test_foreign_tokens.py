"""The accounts of one installation, and the owner of its namespace, against another namespace.

Their tokens are real. Whatever is tried is tried by the owner in his own namespace, too, where it
works: so a refusal is the namespace's, and not of a request that nobody could make.
"""

from collections.abc import Iterator
from contextlib import closing
from typing import Any, Final

import pytest

from tests.cluster.client import Client
from tests.cluster.command_line import CommandLine
from tests.e2e import people, tenant

OWNER: Final = "owner"
ACCOUNTS: Final = (OWNER, tenant.OPERATOR, tenant.GATEWAY, "default-worker", "side-worker")

CORE: Final = "/api/v1"
OURS: Final = "/apis/camera-ingest.io/v1alpha1"
LEASES: Final = "/apis/coordination.k8s.io/v1"
APPS: Final = "/apis/apps/v1"
RBAC: Final = "/apis/rbac.authorization.k8s.io/v1"
VIEW: Final = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"}

# Method, API, what is asked in a namespace, and a body. Nothing of it is done: `dryRun`.
REQUESTS: Final[tuple[tuple[str, str, str, Any], ...]] = (
    ("GET", CORE, "secrets/simulated-login", None),
    ("GET", CORE, "secrets", None),
    ("POST", CORE, "secrets", {"metadata": {"name": "planted"}}),
    ("DELETE", CORE, "secrets/simulated-login", None),
    ("POST", CORE, "serviceaccounts/default-worker/token", {"spec": {}}),
    ("GET", CORE, "pods", None),
    ("GET", CORE, "pods/default-0/log", None),
    ("GET", CORE, "pods/default-0:8080/proxy/metrics", None),
    ("DELETE", CORE, "pods/default-0", None),
    ("GET", OURS, "cameras", None),
    ("GET", OURS, "cameras/lobby", None),
    ("PATCH", OURS, "cameras/lobby", {"spec": {"suspend": True}}),
    ("PATCH", OURS, "cameras/lobby/status", {"status": {"stream": {"codec": "h265"}}}),
    ("DELETE", OURS, "cameras/lobby", None),
    ("PATCH", OURS, "camerapools/default", {"spec": {"replicas": 0}}),
    ("PATCH", OURS, "camerapools/default/status", {"status": {"replicas": 0}}),
    ("GET", LEASES, "leases/default-0", None),
    ("PATCH", LEASES, "leases/default-0", {"spec": {"holderIdentity": "nobody"}}),
    ("DELETE", LEASES, "leases/camera-ingest-operator", None),
    ("PATCH", APPS, "statefulsets/default", {"spec": {"replicas": 0}}),
    ("DELETE", RBAC, "roles/default-worker", None),
    ("POST", RBAC, "rolebindings", {"metadata": {"name": "planted"}, "roleRef": VIEW}),
)
EVERYWHERE: Final = (
    f"{CORE}/secrets",
    f"{CORE}/pods",
    f"{OURS}/cameras",
    f"{OURS}/camerapools",
    f"{LEASES}/leases",
)


@pytest.fixture(scope="module")
def owner(other: CommandLine) -> Iterator[Client]:
    """Who has every right in his namespace, and none beyond."""
    other.kubectl("create", "serviceaccount", OWNER)
    account = f"--serviceaccount={other.namespace}:{OWNER}"
    other.kubectl("create", "rolebinding", OWNER, "--clusterrole=cluster-admin", account)
    with closing(people.client(other, OWNER)) as client:
        yield client


@pytest.fixture(params=ACCOUNTS)
def account(request: pytest.FixtureRequest, owner: Client, other: CommandLine) -> Iterator[Client]:
    """One after another."""
    if request.param == OWNER:
        yield owner
        return
    with closing(people.client(other, request.param)) as client:
        yield client


def test_an_account_may_nothing_in_another_namespace_that_not_every_account_may(
    account: Client, cameras: CommandLine, other: CommandLine
) -> None:
    with closing(people.client(other, "default")) as nobody:
        everybody = rights(nobody, cameras)

    assert rights(account, cameras) == everybody
    assert rights(account, other) > everybody


def test_whatever_an_account_asks_of_another_namespace_is_refused(
    account: Client, cameras: CommandLine
) -> None:
    answers = tried(account, cameras)
    answers |= {path: people.answer(account, "GET", path) for path in EVERYWHERE}

    assert set(answers.values()) == {403}, answers


def test_all_of_it_works_for_the_owner_of_the_namespace(owner: Client, other: CommandLine) -> None:
    answers = tried(owner, other)

    assert set(answers.values()) == {200}, answers


def tried(client: Client, where: CommandLine) -> dict[str, int]:
    """What becomes of each request in a namespace."""
    namespace = f"namespaces/{where.namespace}"
    return {
        f"{method} {path}": people.answer(client, method, f"{api}/{namespace}/{path}", body)
        for method, api, path, body in REQUESTS
    }


def rights(client: Client, where: CommandLine) -> set[str]:
    """What somebody may do in a namespace, as the API server tells him."""
    path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
    answer = client.post(path, {"spec": {"namespace": where.namespace}})["status"]
    return {str(rule) for rule in (*answer["resourceRules"], *answer["nonResourceRules"])}
