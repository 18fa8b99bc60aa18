"""What Helm's own linter says, what the guide shows, and what `helm test` runs."""

import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib import metadata
from pathlib import Path

import pytest
import yaml

from tests.chart.rendering import FOLDER, ROOT, Chart, of_kind, pod_specs
from tests.chart.switches import CASES, EXTRAS, merged

CLUSTER_WIDE = {"ClusterRole", "ClusterRoleBinding", "PriorityClass"}
SCHEDULING = ("nodeSelector", "tolerations", "affinity")


@pytest.mark.parametrize("case", ["defaults", "everything"])
def test_helm_lint_finds_nothing(chart: Chart, case: str) -> None:
    done = subprocess.run(
        [chart.helm, "lint", "--strict", "--quiet", FOLDER, "-f", "-"],
        input=yaml.safe_dump(CASES[case]),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_chart_installs_the_image_of_its_own_release() -> None:
    for folder in (FOLDER, FOLDER / "charts" / "crds"):
        made = yaml.safe_load((folder / "Chart.yaml").read_text())
        assert made.get("appVersion", made["version"]) == metadata.version("camera-ingest")
        assert made["version"] == metadata.version("camera-ingest")


def test_the_values_of_the_guide_are_values(chart: Chart) -> None:
    (block,) = re.findall(
        r"```yaml\n(.*?)```", (ROOT / "docs" / "guide" / "helm.md").read_text(), re.DOTALL
    )
    objects = chart.render(yaml.safe_load(block))
    assert {"Ingress", "PrometheusRule", "NetworkPolicy"} <= {one["kind"] for one in objects}


def test_two_releases_of_one_name_share_nothing_of_the_cluster(chart: Chart) -> None:
    names: list[tuple[str, str]] = []
    for namespace in ("one", "two"):
        options = (f"--namespace={namespace}", "--is-upgrade")
        names += (
            (one["kind"], one["metadata"]["name"])
            for one in chart.render(CASES["everything"], *options)
            if "namespace" not in one["metadata"]
        )
    assert {kind for kind, _ in names} > CLUSTER_WIDE
    assert len(set(names)) == len(names)


def test_a_gateway_that_scales_from_two_has_a_budget_whatever_its_replicas(chart: Chart) -> None:
    autoscaling = {"enabled": True, "minReplicas": 2}
    values = {"gateway": {"replicas": 1, "autoscaling": autoscaling}}
    assert "gateway" in of_kind(chart.render(values), "PodDisruptionBudget")
    alone = {"gateway": {"replicas": 1}}
    assert "gateway" not in of_kind(chart.render(alone), "PodDisruptionBudget")


def test_pods_of_an_upgrade_and_of_helm_test_run_where_the_operator_may(chart: Chart) -> None:
    values = {
        "commonLabels": {"team": "video"},
        "commonAnnotations": {"note": "video"},
        "operator": {key: EXTRAS[key] for key in SCHEDULING},
        "priorityClass": {"name": "high"},
    }
    objects = chart.render(values, "--is-upgrade")
    tested = of_kind(objects, "Pod")["test"]
    crds = of_kind(objects, "Job")["crds"]["spec"]["template"]
    operator = of_kind(objects, "Deployment")["operator"]["spec"]["template"]
    for one in (operator, crds, tested):
        assert one["metadata"]["labels"]["team"] == "video"
        assert one["metadata"]["annotations"]["note"] == "video"
        assert {key: one["spec"][key] for key in SCHEDULING} == values["operator"]
        assert one["spec"]["priorityClassName"] == "high"


def test_a_constraint_is_about_its_own_pods_unless_it_says_which(chart: Chart) -> None:
    theirs = {"matchExpressions": [{"key": "team", "operator": "Exists"}]}
    given = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}
    constraints = [given, {**given, "labelSelector": theirs}]
    objects = chart.render({"gateway": {"topologySpreadConstraints": constraints}})
    template = of_kind(objects, "Deployment")["gateway"]["spec"]["template"]
    own, other = template["spec"]["topologySpreadConstraints"]
    assert own == {**given, "labelSelector": {"matchLabels": template["metadata"]["labels"]}}
    assert other == constraints[1]


def test_a_node_is_removed_in_spite_of_a_pods_tmp_unless_the_values_say_otherwise(
    chart: Chart,
) -> None:
    key = "cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes"
    for values, said in (
        ({}, "tmp"),
        ({"commonAnnotations": {key: "none"}}, "none"),
        ({name: {"podAnnotations": {key: "none"}} for name in ("operator", "gateway")}, "none"),
    ):
        for one in of_kind(chart.render(values), "Deployment").values():
            template = one["spec"]["template"]
            assert template["metadata"]["annotations"][key] == said
            assert [v["name"] for v in template["spec"]["volumes"] if "emptyDir" in v] == ["tmp"]


def test_the_platform_says_who_runs_a_pod_where_the_chart_is_told_to_leave_it(
    chart: Chart,
) -> None:
    for user, said in (("platform", None), (None, 65532), (1_000_650_000, 1_000_650_000)):
        values = {"runAsUser": user, "redis": {"bundled": {"enabled": True}}}
        objects = chart.render(values, "--is-upgrade")
        for spec in pod_specs(objects):
            of_pod = spec["securityContext"]
            assert [of_pod.get(key) for key in ("runAsUser", "runAsGroup", "fsGroup")] == [said] * 3
            assert of_pod["runAsNonRoot"]
        (operator,) = of_kind(objects, "Deployment")["operator"]["spec"]["template"]["spec"][
            "containers"
        ]
        env = {one["name"]: one.get("value") for one in operator["env"]}
        assert env.get("CAMERA_INGEST_WORKER_USER") == (str(said) if said else None)


def test_a_load_balancer_is_as_is_given(chart: Chart) -> None:
    given = CASES["load balancer"]["gateway"]["service"]
    service = of_kind(chart.render(CASES["load balancer"]), "Service")["gateway"]["spec"]
    assert given.items() <= service.items()
    plain = of_kind(chart.render({}), "Service")["gateway"]["spec"]
    assert plain.keys() & given.keys() == {"type"}


def test_every_image_is_pulled_with_the_secret_that_is_given(chart: Chart) -> None:
    values = {"image": {"pullSecret": "registry"}, "redis": {"bundled": {"enabled": True}}}
    specs = list(pod_specs(chart.render(values, "--is-upgrade")))
    assert [one.get("imagePullSecrets") for one in specs] == [[{"name": "registry"}]] * 5


def test_a_version_with_build_metadata_makes_labels_that_are_labels(
    chart: Chart, tmp_path: Path
) -> None:
    folder = shutil.copytree(FOLDER, tmp_path / "chart")
    made = yaml.safe_load((folder / "Chart.yaml").read_text())
    made |= {"version": "0.1.0+build.2", "appVersion": "0.1.0+build.2"}
    (folder / "Chart.yaml").write_text(yaml.safe_dump(made))
    done = subprocess.run(
        [chart.helm, "template", "cams", folder], capture_output=True, text=True, check=True
    )
    for one in filter(None, yaml.safe_load_all(done.stdout)):
        labels = one["metadata"]["labels"]
        assert labels["helm.sh/chart"] == "camera-ingest-0.1.0_build.2"
        assert labels["app.kubernetes.io/version"] == "0.1.0_build.2"


def scalars(one: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Every value with the keys that lead to it."""
    if isinstance(one, dict):
        for key, inner in one.items():
            yield from scalars(inner, f"{path}.{key}")
    elif isinstance(one, list):
        for inner in one:
            yield from scalars(inner, path)
    else:
        yield path, one


@pytest.mark.parametrize("case", CASES)
def test_names_that_look_like_numbers_are_names(chart: Chart, case: str) -> None:
    values = {
        "fullnameOverride": "video",
        "image": {"pullSecret": "34"},
        "priorityClass": {"name": "78"},
        "operator": {"serviceAccount": {"create": False, "name": "12"}},
        "gateway": {"ingress": {"className": "56"}},
    }
    options = ("--namespace=90", "--is-upgrade")
    text = chart.text(merged(CASES[case], values), *options, release="11")
    for one in filter(None, yaml.safe_load_all(text)):
        for path, value in scalars(one):
            named = path.endswith((".name", "amespace", "/instance", "Name", "env.value", "/name"))
            assert not named or isinstance(value, str), f"{path}: {value}"


@pytest.fixture
def ready(tmp_path: Path) -> Iterator[str]:
    """A gateway and an operator in one, which are ready."""
    (tmp_path / "api").mkdir()
    (tmp_path / "readyz").write_text("ok\n")
    (tmp_path / "api" / "cameras").write_text("[]")
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_helm_test_passes_when_both_programs_are_ready_and_asks_their_services(
    chart: Chart, ready: str
) -> None:
    objects = chart.render({})
    (container,) = of_kind(objects, "Pod")["test"]["spec"]["containers"]
    script, *urls = container["args"]
    services = of_kind(objects, "Service")
    assert urls == [
        f"http://{services[name]['metadata']['name']}:{services[name]['spec']['ports'][0]['port']}"
        for name in ("gateway", "operator")
    ]
    impatient = script.replace("+ 60", "+ 0")
    assert impatient != script
    nobody = "http://127.0.0.1:1"
    for asked, lacking in (
        ((ready, ready), ""),
        ((nobody, ready), nobody),
        ((ready, nobody), nobody),
    ):
        done = subprocess.run(
            [sys.executable, "-c", impatient, *asked],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == (1 if lacking else 0), done.stderr
        assert done.stderr.startswith(f"{lacking}/readyz: " if lacking else "")
