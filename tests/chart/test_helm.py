"""A release's life on a real API server, told by Helm itself: no pods, for there are no nodes."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.chart.rendering import FOLDER, RELEASE, Chart, Values
from tests.cluster.api_server import ApiServer
from tests.cluster.client import Client, Refused
from tests.cluster.crds import PATH
from tests.cluster.identity import service_account

Helm = Callable[..., str]

CAMERA = {
    "apiVersion": "camera-ingest.io/v1alpha1",
    "kind": "Camera",
    "metadata": {"name": "lobby"},
    "spec": {"source": {"push": {}}},
}


class Failed(Exception):
    """Helm could not; the text says why."""


def helm_as(
    chart: Chart, kubeconfig: Path, namespace: str, home: Path, release: str = RELEASE
) -> Helm:
    """`helm("install", values)`: a command of Helm on a release, as somebody."""

    def run(command: str, values: Values | None = None, *options: str) -> str:
        folder = [str(FOLDER), "-f", "-"] if values is not None else []
        done = subprocess.run(
            [
                str(chart.helm),
                *command.split(),
                release,
                *folder,
                *options,
                f"--kubeconfig={kubeconfig}",
                f"--namespace={namespace}",
            ],
            input=json.dumps(values),
            env={**os.environ, "HELM_CACHE_HOME": str(home), "HOME": str(home)},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        if done.returncode != 0:
            raise Failed(done.stderr)
        return done.stdout

    return run


@pytest.fixture
def helm(chart: Chart, api_server: ApiServer, namespace: str, tmp_path: Path) -> Helm:
    """As somebody with every right in the namespace, and none beyond."""
    everything = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]
    owner = service_account(api_server, namespace, "owner", everything)
    kubeconfig = owner.kubeconfig(tmp_path / "kubeconfig")
    return helm_as(chart, kubeconfig, namespace, tmp_path)


def names(admin: Client, path: str) -> set[str]:
    return {one["metadata"]["name"] for one in admin.get(path)["items"]}


def test_who_has_rights_in_a_namespace_only_installs_upgrades_and_removes_a_release(
    helm: Helm, admin: Client, namespace: str
) -> None:
    core, ours = "/api/v1", "/apis/camera-ingest.io/v1alpha1"
    deployments = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    cameras = f"{ours}/namespaces/{namespace}/cameras"
    told = helm("install", {"crds": {"install": False}})
    assert f"helm -n {namespace} test {RELEASE}" in told
    programs = {f"{RELEASE}-camera-ingest-{name}" for name in ("operator", "gateway")}
    assert names(admin, deployments) == programs
    assert names(admin, f"{ours}/namespaces/{namespace}/camerapools") == {"default"}
    admin.post(cameras, CAMERA)
    helm("upgrade", {"crds": {"install": False}, "operator": {"replicas": 3}})
    operator = admin.get(f"{deployments}/{RELEASE}-camera-ingest-operator")
    assert operator["spec"]["replicas"] == 3
    helm("uninstall")
    assert names(admin, deployments) == set()
    assert names(admin, f"{ours}/namespaces/{namespace}/camerapools") == set()
    assert names(admin, f"{core}/namespaces/{namespace}/services") == set()
    assert names(admin, cameras) == {"lobby"}
    assert admin.get(f"{PATH}/cameras.camera-ingest.io")


def test_the_notes_warn_of_an_api_that_can_be_reached_from_outside(helm: Helm) -> None:
    kept = {"crds": {"install": False}}
    assert "no authentication" not in helm("install", kept)
    for gateway, told in (
        ({"service": {"type": "NodePort"}}, "can be reached from outside of the cluster"),
        ({"ingress": {"enabled": True, "hosts": ["a.example.com"]}}, "http://a.example.com/"),
    ):
        said = helm("upgrade", {**kept, "gateway": gateway})
        (line,) = (line for line in said.splitlines() if "no authentication" in line)
        assert told in line


def test_who_has_no_rights_in_the_cluster_is_refused_the_crds(helm: Helm) -> None:
    with pytest.raises(Failed, match="customresourcedefinitions"):
        helm("install", {})


def test_an_installation_brings_the_crds_and_the_pool_that_needs_them_in_one_step(
    chart: Chart, api_server: ApiServer, namespace: str, tmp_path: Path
) -> None:
    helm = helm_as(chart, api_server.kubeconfig, namespace, tmp_path)
    admin = api_server.admin
    pool = f"/apis/camera-ingest.io/v1alpha1/namespaces/{namespace}/camerapools/default"
    with pytest.raises(Refused):
        admin.get(pool)
    helm("install", {})
    assert admin.get(pool)["spec"]["replicas"] == 2
    helm("uninstall")


@pytest.mark.parametrize("pool", [{}, {"name": "another"}, {"enabled": False}])
def test_a_second_release_in_one_namespace_is_refused(
    chart: Chart, api_server: ApiServer, namespace: str, tmp_path: Path, pool: Values
) -> None:
    first = helm_as(chart, api_server.kubeconfig, namespace, tmp_path)
    second = helm_as(chart, api_server.kubeconfig, namespace, tmp_path, release="second")
    kept = {"crds": {"install": False}}
    first("install", kept)
    with pytest.raises(Failed, match=f"release {RELEASE} is in the namespace {namespace} already"):
        second("install", {**kept, "pool": pool})
    first("upgrade", kept)  # it is not in its own way
    first("uninstall")
    second("install", {**kept, "pool": pool})  # now the namespace is free
    second("uninstall")


def test_a_login_that_is_in_a_secret_is_nowhere_in_the_release(
    helm: Helm, admin: Client, namespace: str
) -> None:
    secret = {"metadata": {"name": "redis"}, "stringData": {"url": "redis://u:hunter2@redis"}}
    admin.post(f"/api/v1/namespaces/{namespace}/secrets", secret)
    helm("install", {"crds": {"install": False}, "redis": {"existingSecret": "redis"}})
    for told in ("values --all", "manifest", "notes", "hooks"):
        what, *options = told.split()
        assert "hunter2" not in helm(f"get {what}", None, *options)


def test_the_job_of_an_upgrade_names_a_priority_class_only_once_it_is_there(
    chart: Chart, api_server: ApiServer, namespace: str, tmp_path: Path
) -> None:
    helm = helm_as(chart, api_server.kubeconfig, namespace, tmp_path)
    made = {"priorityClass": {"create": True}}

    def named() -> str | None:
        told = helm("upgrade", made, "--dry-run=server", "--output=json")
        hooks = (yaml.safe_load(one["manifest"]) for one in json.loads(told)["hooks"])
        (job,) = (one for one in hooks if one["kind"] == "Job")
        name: str | None = job["spec"]["template"]["spec"].get("priorityClassName")
        return name

    helm("install", {})
    assert named() is None  # no pod may name one that is not there
    helm("uninstall")
    helm("install", made)
    assert named() == f"{RELEASE}-camera-ingest.{namespace}"
    helm("uninstall")


def test_who_turns_on_an_autoscaler_keeps_the_replicas_that_there_are(
    helm: Helm, admin: Client, namespace: str
) -> None:
    pool = f"/apis/camera-ingest.io/v1alpha1/namespaces/{namespace}/camerapools/default"
    gateway = f"/apis/apps/v1/namespaces/{namespace}/deployments/{RELEASE}-camera-ingest-gateway"
    kept = {"crds": {"install": False}}
    scaled = {
        **kept,
        "pool": {"autoscaling": {"kind": "HorizontalPodAutoscaler"}},
        "gateway": {"autoscaling": {"enabled": True}},
    }
    helm("install", kept)
    for replicas in (5, 7, 0):  # first what a person scaled it to, then an autoscaler
        for one in (pool, gateway):
            admin.merge(one, {"spec": {"replicas": replicas}})
        helm("upgrade", scaled)
        assert [admin.get(one)["spec"]["replicas"] for one in (pool, gateway)] == [replicas] * 2


def test_the_notes_name_the_pool_that_was_made_and_no_other(helm: Helm) -> None:
    kept = {"crds": {"install": False}}
    told = helm("install", {**kept, "pool": {"name": "yard"}})
    assert "poolRef: {name: yard}" in told
    assert "No pool was made" not in told
    told = helm("upgrade", {**kept, "pool": {"name": "yard", "enabled": False}})
    assert "yard" not in told
    assert "No pool was made" in told
    assert "poolRef: {name: POOL}" in told


def test_the_notes_say_that_events_go_nowhere_where_no_worker_knows_a_redis(helm: Helm) -> None:
    kept = {"crds": {"install": False}}
    own = {"spec": {"worker": {"redisUrlSecretRef": {"name": "redis", "key": "url"}}}}
    for command, pool, nowhere in (
        ("install", {}, True),
        ("upgrade", own, False),
        ("upgrade", {**own, "enabled": False}, True),
    ):
        assert ("Events go nowhere" in helm(command, {**kept, "pool": pool})) == nowhere
