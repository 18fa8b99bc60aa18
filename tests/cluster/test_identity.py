"""A service account may do what its rules say and no more, and all that it does is on record."""

import base64
import json
import time
from pathlib import Path

import pytest

from tests.cluster.api_server import ApiServer
from tests.cluster.client import Client, Refused
from tests.cluster.identity import Identity, service_account
from tests.cluster.plugin import Kubectl

GROUP = "coordination.k8s.io"
RULES = [{"apiGroups": [GROUP], "resources": ["leases"], "verbs": ["get", "list", "create"]}]


@pytest.fixture
def reader(api_server: ApiServer, namespace: str) -> Identity:
    return service_account(api_server, namespace, "reader", RULES)


@pytest.fixture
def leases(namespace: str) -> str:
    return f"/apis/{GROUP}/v1/namespaces/{namespace}/leases"


def test_what_its_rules_do_not_name_is_forbidden(reader: Identity, leases: str) -> None:
    client = reader.client()
    client.post(leases, {"metadata": {"name": "mine"}})
    for forbidden in (f"{leases}/mine", leases):
        with pytest.raises(Refused) as refused:
            client.delete(forbidden)
        assert refused.value.status == 403
    assert [item["metadata"]["name"] for item in client.get(leases)["items"]] == ["mine"]
    client.close()


def test_its_requests_are_on_record_by_the_time_they_are_answered(
    api_server: ApiServer, reader: Identity, leases: str, namespace: str
) -> None:
    since = api_server.audit.position()
    client = reader.client()
    client.get(leases)
    with pytest.raises(Refused):
        client.get(f"/api/v1/namespaces/{namespace}/secrets/other")
    client.close()
    mine = [r for r in api_server.audit.requests(since) if r.user == reader.user]
    assert [(r.verb, r.group, r.resource, r.name, r.code, r.allowed) for r in mine] == [
        ("list", GROUP, "leases", "", 200, True),
        ("get", "", "secrets", "other", 403, False),
    ]
    assert {r.namespace for r in mine} == {namespace}


def test_its_token_is_for_as_long_as_was_asked(reader: Identity) -> None:
    claims = reader.token(seconds=1200).split(".")[1]
    told = json.loads(base64.urlsafe_b64decode(claims + "=="))
    assert told["exp"] - told["iat"] == 1200
    assert told["sub"] == reader.user


def test_a_token_goes_with_the_secret_that_it_is_bound_to(
    api_server: ApiServer, admin: Client, reader: Identity, leases: str, namespace: str
) -> None:
    secrets = f"/api/v1/namespaces/{namespace}/secrets"
    admin.post(secrets, {"metadata": {"name": "session"}})
    token = reader.token(bound_to="session")
    admin.delete(f"{secrets}/session")
    client = Client(api_server.url, api_server.ca_file, token)
    with pytest.raises(Refused) as refused:
        get_on_and_on(client, leases)
    assert refused.value.status == 401
    client.close()


def get_on_and_on(client: Client, path: str, seconds: float = 30) -> None:
    """Ask again and again: the server looks at a copy of its own, which is late by a moment."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        client.get(path)
        time.sleep(0.05)


def test_kubectl_takes_its_kubeconfig_and_a_rotated_token(
    reader: Identity, kubectl: Kubectl, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    config = str(reader.kubeconfig(tmp_path / "kubeconfig", token_file=file))
    first = file.read_text()
    reader.write_token(file)
    assert file.read_text() != first
    assert kubectl("get", "leases", "--kubeconfig", config).returncode == 0
    direct = str(reader.kubeconfig(tmp_path / "other", url=reader.server.url))
    denied = kubectl("get", "pods", "--kubeconfig", direct, check=False)
    assert "Forbidden" in denied.stderr
