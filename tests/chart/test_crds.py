"""The chart's CRDs are the project's; a Job brings older ones up to date, and leaves newer ones."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
import yaml

from ingest_core.kube import access
from ingest_core.kube.client import Api
from ingest_core.kube.resources import Resource
from ingest_core.names import ANNOTATION_VERSION
from ingest_standalone.crds import bring
from tests.chart.rendering import FOLDER, ROOT, Chart, Object
from tests.chart.test_helm import Failed, helm_as, names
from tests.cluster import crds
from tests.cluster.api_server import ApiServer
from tests.cluster.binaries import KUBECTL
from tests.cluster.client import Refused
from tests.cluster.identity import Identity
from tests.cluster.shell import Shell, checkout
from tests.cluster.typist import Typist, typing

OURS = {file.name: file.read_text() for file in (ROOT / "crds").glob("*.yaml")}
NAMES = tuple(yaml.safe_load(OURS[file])["metadata"]["name"] for file in sorted(OURS))
VERSION = yaml.safe_load((FOLDER / "Chart.yaml").read_text())["appVersion"]
OTHERWISE = {"names": {"categories": ["camera-ingest", "otherwise"]}}
COMMAND = Path(sys.executable).parent / "camera-ingest"
SECONDS = 20  # in which a CRD that is deleted is gone
RBAC = "/apis/rbac.authorization.k8s.io/v1"


@dataclass(frozen=True, slots=True)
class Definitions:
    """The cluster's CRDs, and the release that they say they are of."""

    server: ApiServer

    def say(self, release: str | None, *which: str) -> None:
        """Each, or those that are named, are of this release, and other than ours."""
        said = {"metadata": {"annotations": {ANNOTATION_VERSION: release}}, "spec": OTHERWISE}
        for name in which or NAMES:
            self.server.admin.merge(f"{crds.PATH}/{name}", said)

    def remove(self, name: str) -> None:
        """Returns when it is gone, with every object of its kind."""
        self.server.admin.delete(f"{crds.PATH}/{name}")
        deadline = time.monotonic() + SECONDS
        while name in names(self.server.admin, crds.PATH):
            assert time.monotonic() < deadline, f"{name} is still there"
            time.sleep(0.01)  # the API server says in no other way that it has gone

    def ours(self) -> dict[str, bool]:
        """Is each as the project has it, as far as `say` changed it?"""
        return {
            name: one["spec"]["names"]["categories"] != OTHERWISE["names"]["categories"]
            for name, one in self._there()
        }

    def said(self) -> dict[str, str | None]:
        return {
            name: one["metadata"].get("annotations", {}).get(ANNOTATION_VERSION)
            for name, one in self._there()
        }

    def _there(self) -> Iterator[tuple[str, Any]]:
        for name in NAMES:
            yield name, self.server.admin.get(f"{crds.PATH}/{name}")


def test_the_chart_ships_the_very_files_of_crds() -> None:
    shipped = FOLDER / "charts" / "crds" / "crds"
    assert {file.name: file.read_text() for file in shipped.glob("*.yaml")} == OURS


def test_an_installation_begins_with_them_unless_told_otherwise(chart: Chart) -> None:
    for install in (True, False):
        objects = chart.render({"crds": {"install": install}}, "--include-crds")
        found = [one for one in objects if one["kind"] == "CustomResourceDefinition"]
        assert found == ([yaml.safe_load(OURS[name]) for name in sorted(OURS)] if install else [])
        assert "Job" not in {one["kind"] for one in objects}


def run(arguments: Sequence[str | Path], kubeconfig: Path) -> "subprocess.CompletedProcess[str]":
    """Our command, as somebody."""
    environment = {**os.environ, "KUBECONFIG": str(kubeconfig)}
    return subprocess.run(
        [COMMAND, *arguments], env=environment, capture_output=True, text=True, check=False
    )


def upgrade(chart: Chart, namespace: str) -> dict[str, Object]:
    """What brings them up to date, by kind."""
    objects = chart.render({}, f"--namespace={namespace}", "--is-upgrade")
    component = "app.kubernetes.io/component"
    ours = [one for one in objects if one["metadata"]["labels"][component] == "crds"]
    return {one["kind"]: one for one in ours}


def test_all_of_an_upgrade_of_them_is_gone_after_it(chart: Chart) -> None:
    for one in upgrade(chart, "cameras").values():
        annotations = one["metadata"]["annotations"]
        assert annotations["helm.sh/hook"] == "pre-install,pre-upgrade"
        assert "hook-succeeded" in annotations["helm.sh/hook-delete-policy"]


def test_the_job_of_an_upgrade_applies_them_with_the_rights_that_it_is_given(
    chart: Chart, definitions: Definitions, namespace: str, tmp_path: Path
) -> None:
    made = upgrade(chart, namespace)
    admin = definitions.server.admin
    account = made["ServiceAccount"]["metadata"]["name"]
    admin.post(f"/api/v1/namespaces/{namespace}/serviceaccounts", made["ServiceAccount"])
    job = made["Job"]["spec"]["template"]["spec"]
    assert job["serviceAccountName"] == account
    identity = Identity(definitions.server, namespace, account)
    kubeconfig = identity.kubeconfig(tmp_path / "kubeconfig")
    assert made["ConfigMap"]["data"] == OURS
    files = tmp_path / "crds"
    files.mkdir()
    for name, text in made["ConfigMap"]["data"].items():
        (files / name).write_text(text)
    (container,) = job["containers"]
    arguments = [str(files) if one == "/crds" else one for one in container["args"]]

    refused = run(arguments, kubeconfig)
    assert refused.returncode == 1
    assert "orbidden" in refused.stderr
    for kind, plural in (
        ("ClusterRole", "clusterroles"),
        ("ClusterRoleBinding", "clusterrolebindings"),
    ):
        admin.post(f"{RBAC}/{plural}", made[kind])
    try:
        definitions.remove(NAMES[0])
        done = run(arguments, kubeconfig)
        assert done.returncode == 0, done.stderr
        another = yaml.safe_load(OURS["camera.yaml"].replace("cameras", "camelas"))
        with closing(identity.client()) as job, pytest.raises(Refused) as refusal:
            job.post(crds.PATH, another)
        assert refusal.value.status == HTTPStatus.FORBIDDEN
    finally:
        name = made["ClusterRole"]["metadata"]["name"]
        admin.delete(f"{RBAC}/clusterrolebindings/{name}")
        admin.delete(f"{RBAC}/clusterroles/{name}")
    for text in OURS.values():
        name = yaml.safe_load(text)["metadata"]["name"]
        assert f"{name} is up to date" in done.stdout
        stored: Any = admin.get(f"{crds.PATH}/{name}")
        assert "camera-ingest-crds" in {
            one["manager"] for one in stored["metadata"]["managedFields"]
        }


@pytest.fixture
def definitions(api_server: ApiServer) -> Iterator[Definitions]:
    """Those of the project, which are as they were after the test."""
    yield Definitions(api_server)
    crds.install_crds(api_server.admin, ROOT / "crds")


@pytest.mark.parametrize("release", ["0.0.1", None])
def test_what_is_of_an_older_release_or_says_none_is_replaced(
    release: str | None, definitions: Definitions
) -> None:
    definitions.say(release)
    done = run(["crds", ROOT / "crds"], definitions.server.kubeconfig)
    assert done.returncode == 0, done.stderr
    assert definitions.said() == dict.fromkeys(NAMES, VERSION)
    assert definitions.ours() == dict.fromkeys(NAMES, True)


def test_what_is_of_a_newer_release_stays(definitions: Definitions) -> None:
    definitions.say("0.10.0")
    done = run(["crds", ROOT / "crds"], definitions.server.kubeconfig)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        f"{name} stays as release 0.10.0 has it, which is newer than {VERSION}" for name in NAMES
    ]
    assert definitions.said() == dict.fromkeys(NAMES, "0.10.0")
    assert definitions.ours() == dict.fromkeys(NAMES, False)


def test_what_is_of_a_release_that_ours_cannot_read_stays(definitions: Definitions) -> None:
    definitions.say("1.0.0-rc.1")
    done = run(["crds", ROOT / "crds"], definitions.server.kubeconfig)
    assert done.returncode == 0, done.stderr
    assert "stays: its release, '1.0.0-rc.1', is none that this one can read" in done.stdout
    assert definitions.ours() == dict.fromkeys(NAMES, False)


async def test_what_becomes_newer_while_somebody_looks_stays(definitions: Definitions) -> None:
    name = NAMES[0]

    class Overtaken(Api):
        async def get(self, resource: Resource, name: str = "", **query: str) -> bytes:
            found = await super().get(resource, name, **query)
            if definitions.said()[name] != "0.10.0":
                definitions.say("0.10.0", name)
            return found

    (ours,) = (yaml.safe_load(text) for text in OURS.values() if f"name: {name}\n" in text)
    async with Overtaken(await access.load(str(definitions.server.kubeconfig))) as api:
        became = await bring(api, ours)
    assert became == f"stays as release 0.10.0 has it, which is newer than {VERSION}"
    assert definitions.ours()[name] is False


@pytest.mark.parametrize("which", NAMES)
def test_an_installation_that_finds_one_of_another_release_begins_with_the_job(
    which: str, chart: Chart, namespace: str, definitions: Definitions, tmp_path: Path
) -> None:
    helm = helm_as(chart, definitions.server.kubeconfig, namespace, tmp_path)
    definitions.say("0.0.1", which)
    with pytest.raises(Failed, match="failed pre-install"):
        helm("install", {}, "--timeout=2s")  # nobody runs the Job
    helm("uninstall")
    cluster_wide = f"cams-camera-ingest-crds.{namespace}"
    for plural in ("clusterrolebindings", "clusterroles"):
        definitions.server.admin.delete(f"{RBAC}/{plural}/{cluster_wide}")
    definitions.say(VERSION, which)
    helm("install", {})
    helm("uninstall")


LEFT = (
    f"{RBAC}/clusterroles",
    f"{RBAC}/clusterrolebindings",
    "/api/v1/namespaces/{}/serviceaccounts",
    "/api/v1/namespaces/{}/configmaps",
    "/apis/batch/v1/namespaces/{}/jobs",
    "/apis/networking.k8s.io/v1/namespaces/{}/networkpolicies",
)


@pytest.fixture
def guide(
    request: pytest.FixtureRequest, api_server: ApiServer, tmp_path: Path
) -> Iterator[Typist]:
    """Somebody who may do everything."""
    environment = {
        "KUBECONFIG": str(api_server.kubeconfig),
        "HOME": str(tmp_path),
        "PATH": f"{KUBECTL.parent}:{os.environ['PATH']}",
    }
    shell = Shell(checkout(tmp_path / "checkout"), environment)
    with typing(request, shell) as typist:
        yield typist


@pytest.mark.types("docs/guide/helm.md", "When the Job fails")
def test_what_a_job_that_fails_leaves_is_removed_as_the_guide_says(
    chart: Chart, api_server: ApiServer, namespace: str, guide: Typist, tmp_path: Path
) -> None:
    helm = helm_as(chart, api_server.kubeconfig, namespace, tmp_path, release="cameras")
    values = {"networkPolicy": {"enabled": True}}
    helm("install", values)
    with pytest.raises(Failed, match="pre-upgrade hooks failed"):
        helm("upgrade", values, "--timeout=2s")  # nobody runs the Job

    def left() -> list[int]:
        ours = {"labelSelector": "app.kubernetes.io/component=crds"}
        found = (api_server.admin.get(path.format(namespace), **ours) for path in LEFT)
        return [len(one["items"]) for one in found]

    assert left() == [1] * len(LEFT)
    helm("uninstall")
    assert left() == [1] * len(LEFT)
    guide.type("kubectl -n NAMESPACE delete", NAMESPACE=namespace)
    guide.type("kubectl delete", NAMESPACE=namespace)
    assert left() == [0] * len(LEFT)


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({}, "has no *.yaml"),
        ({"a.yaml": "kind: Secret"}, "holds something else"),
        ({"a.yaml": "{"}, "is no YAML"),
        ({"a.yaml": "kind: CustomResourceDefinition"}, "must be a release"),
    ],
)
def test_what_is_no_definition_is_refused_before_anything_is_asked(
    files: dict[str, str], told: str, tmp_path: Path
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    done = run(["crds", tmp_path], tmp_path / "none")
    assert done.returncode == 1
    assert told in done.stderr
