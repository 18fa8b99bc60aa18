"""The API server of the tests is a real one, and does what is done to it."""

import json
from pathlib import Path
from typing import Any

import pytest
import urllib3

from tests.cluster.api_server import ADMIN_TOKEN, ApiServer
from tests.cluster.binaries import VERSION
from tests.cluster.client import Client, Refused
from tests.cluster.plugin import Kubectl


@pytest.fixture
def leases(namespace: str) -> str:
    return f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"


def first_event(server: ApiServer, path: str, version: str) -> Any:
    """What a watch from a version begins with."""
    http = urllib3.PoolManager(ca_certs=str(server.ca_file), retries=False, timeout=10)
    answer = http.request(
        "GET",
        f"{server.url}{path}?watch=true&resourceVersion={version}",
        headers={"Authorization": f"Bearer {ADMIN_TOKEN}"},
        preload_content=False,
    )
    try:
        line = b""
        while not line.endswith(b"\n"):
            line += answer.read(1)
        return json.loads(line)
    finally:
        answer.close()
        http.clear()


def lease(name: str) -> Any:
    return {"metadata": {"name": name}}


def test_it_is_the_version_that_go_mod_pins(admin: Client) -> None:
    go_mod = Path(__file__).parent / "kubernetes" / "go.mod"
    assert f"k8s.io/kubernetes {VERSION}\n" in go_mod.read_text()
    assert admin.get("/version")["gitVersion"] == VERSION


def test_objects_survive_its_death_at_the_same_address(
    api_server: ApiServer, admin: Client, leases: str
) -> None:
    made = admin.post(leases, lease("kept"))
    api_server.kill()
    with pytest.raises(urllib3.exceptions.HTTPError):
        admin.get("/readyz")
    api_server.heal()
    assert admin.get(f"{leases}/kept")["metadata"] == made["metadata"]


def test_objects_survive_the_death_of_etcd(
    api_server: ApiServer, admin: Client, leases: str
) -> None:
    made = admin.post(leases, lease("kept"))
    api_server.etcd.kill()
    with pytest.raises((Refused, urllib3.exceptions.HTTPError)):
        admin.put(f"{leases}/kept", made, timeout="1s")
    api_server.heal()
    assert admin.get(f"{leases}/kept")["metadata"]["uid"] == made["metadata"]["uid"]


def test_while_it_is_frozen_nothing_answers(api_server: ApiServer, admin: Client) -> None:
    admin.get("/readyz")
    api_server.pause()
    http = urllib3.PoolManager(ca_certs=str(api_server.ca_file), retries=False)
    with pytest.raises(urllib3.exceptions.TimeoutError):
        http.request("GET", f"{api_server.url}/livez", timeout=0.1)
    http.clear()
    api_server.resume()
    assert admin.get("/readyz") == "ok"


def test_a_watch_from_before_the_history_expired_is_told_410(
    api_server: ApiServer, admin: Client, leases: str
) -> None:
    old = admin.post(leases, lease("one"))["metadata"]["resourceVersion"]
    new = admin.post(leases, lease("two"))["metadata"]["resourceVersion"]
    assert first_event(api_server, leases, old)["object"]["metadata"]["name"] == "two"
    assert api_server.expire_history() >= int(new)
    told = first_event(api_server, leases, old)
    assert (told["type"], told["object"]["code"]) == ("ERROR", 410)


def test_history_expires_no_further_than_it_is_told(
    api_server: ApiServer, admin: Client, leases: str
) -> None:
    version = int(admin.post(leases, lease("one"))["metadata"]["resourceVersion"])
    assert api_server.compact(version) == version
    assert admin.get(f"{leases}/one")["metadata"]["resourceVersion"] == str(version)


def test_kubectl_speaks_to_it_in_the_test_s_namespace(kubectl: Kubectl, namespace: str) -> None:
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}
    kubectl("apply", "-f", "-", stdin=json.dumps(manifest))
    found = json.loads(kubectl("get", "configmap", "c", "-o", "json").stdout)
    assert found["metadata"]["namespace"] == namespace
    refused = kubectl("get", "configmap", "missing", check=False)
    assert refused.returncode == 1
    assert "NotFound" in refused.stderr


def test_a_pod_is_made_without_a_controller(admin: Client, namespace: str) -> None:
    spec = {"containers": [{"name": "c", "image": "none"}]}
    path = f"/api/v1/namespaces/{namespace}/pods"
    pod = admin.post(path, {"metadata": {"name": "default-0"}, "spec": spec})
    pod["status"] = {"phase": "Running", "podIP": "127.0.0.1"}
    written = admin.put(f"{path}/default-0/status", pod)
    assert written["status"]["podIP"] == "127.0.0.1"
