"""What the chart renders, a real API server takes, with Pod Security `restricted` enforced."""

from typing import Any

import pytest

from ingest_core import manifest
from ingest_core.pool import CameraPool
from ingest_core.settings import LogSettings, load, settings_of
from ingest_gateway.settings import GatewaySettings
from ingest_operator.manifests import manifests
from ingest_operator.settings import OperatorSettings
from tests.chart.foreign_crds import foreign_crds
from tests.chart.rendering import NAMESPACE, RELEASE, Chart, Object, Values, of_kind, pod_specs
from tests.chart.switches import CASES
from tests.cluster.api_server import ApiServer
from tests.cluster.binaries import Unavailable
from tests.cluster.client import Client, Refused
from tests.cluster.crds import install_crd

RESTRICTED = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}
PROGRAMS: dict[str, type[LogSettings]] = {"operator": OperatorSettings, "gateway": GatewaySettings}


class Judge:
    """Asks the API server, without changing anything."""

    def __init__(self, admin: Client, namespace: str) -> None:
        self._admin = admin
        self.namespace = namespace
        self._resources: dict[str, dict[str, Any]] = {}

    def apply(self, one: Object) -> None:
        """Raises `Refused`, also for a field that the schema does not know."""
        if one["kind"] == "Pod":  # its priority class is not there
            spec = {key: value for key, value in one["spec"].items() if key != "priorityClassName"}
            one = {**one, "spec": spec}
        self._admin.apply(self._path(one), one, dryRun="All", fieldValidation="Strict")

    def run(self, spec: Object) -> None:
        """A pod of that spec. Raises as `apply`: Pod Security judges pods only."""
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "judged", "namespace": self.namespace},
            "spec": spec,
        }
        self.apply(pod)

    def _path(self, one: Object) -> str:
        version = one["apiVersion"]
        root = f"/apis/{version}" if "/" in version else f"/api/{version}"
        if version not in self._resources:
            served = self._admin.get(root)["resources"]
            whole = (kind for kind in served if "/" not in kind["name"])
            self._resources[version] = {kind["kind"]: kind for kind in whole}
        kind = self._resources[version][one["kind"]]
        within = f"/namespaces/{self.namespace}" if kind["namespaced"] else ""
        return f"{root}{within}/{kind['name']}/{one['metadata']['name']}"


@pytest.fixture(scope="module")
def _foreign(_api_server: ApiServer) -> None:
    try:
        for crd in foreign_crds():
            install_crd(_api_server.admin, crd)
    except Unavailable as error:
        pytest.skip(str(error))


@pytest.fixture
def judge(admin: Client, namespace: str, _foreign: None) -> Judge:
    admin.merge(f"/api/v1/namespaces/{namespace}", RESTRICTED)
    return Judge(admin, namespace)


@pytest.mark.parametrize("case", sorted(CASES))
def test_every_combination_of_switches_is_accepted(chart: Chart, judge: Judge, case: str) -> None:
    namespace = f"--namespace={judge.namespace}"
    installed = chart.render(CASES[case], namespace)
    upgraded = chart.render(CASES[case], namespace, "--is-upgrade")
    objects = (*installed, *(one for one in upgraded if one not in installed))
    for one in objects:
        judge.apply(one)
    for spec in pod_specs(objects):
        judge.run(spec)


def test_pod_security_refuses_what_is_not_restricted(judge: Judge) -> None:
    with pytest.raises(Refused, match="PodSecurity"):
        judge.run({"containers": [{"name": "main", "image": "main"}]})


def test_the_programs_take_every_variable_that_the_chart_sets(chart: Chart) -> None:
    for case in ("defaults", "image", "Redis by Secret"):
        for program, type_ in PROGRAMS.items():
            known = {one.variable for one in settings_of(type_)}
            given = environment(chart.render(CASES[case]), program)
            assert given.keys() <= known
            load(type_, {}, given)


def environment(objects: tuple[Object, ...], program: str) -> dict[str, str]:
    """Variables of a program, as its container sees them."""
    pod = of_kind(objects, "Deployment")[program]["spec"]["template"]["spec"]
    return {one["name"]: one.get("value", "default") for one in pod["containers"][0]["env"]}


def test_workers_are_restricted_and_run_the_charts_image_with_its_redis(
    chart: Chart, judge: Judge
) -> None:
    worker = {
        "volumes": [{"name": "ca", "secret": {"secretName": "ca"}}],
        "volumeMounts": [{"name": "ca", "mountPath": "/ca", "readOnly": True}],
    }
    values = {"redis": {"bundled": {"enabled": True}}, "pool": {"spec": {"worker": worker}}}
    objects = chart.render(values)
    made = of_kind(objects, "CameraPool")["pool"]
    pool = manifest.parse({**made, "metadata": {**made["metadata"], "uid": "1"}}, CameraPool)
    settings = load(OperatorSettings, {}, environment(objects, "operator"))
    stateful_set = manifests(pool, settings, 2, (), 0)[-1].body
    pod = stateful_set["spec"]["template"]["spec"]
    judge.run(pod)
    (container,) = pod["containers"]
    assert container["volumeMounts"][1:] == worker["volumeMounts"]
    operator = of_kind(objects, "Deployment")["operator"]["spec"]["template"]["spec"]
    assert container["image"] == operator["containers"][0]["image"]
    redis = next(one for one in container["env"] if one["name"] == "CAMERA_INGEST_REDIS_URL")
    assert redis["valueFrom"]["secretKeyRef"] == {
        "name": of_kind(objects, "Secret")["redis"]["metadata"]["name"],
        "key": "url",
    }


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"bundled": {"enabled": True}}, {"url": "redis://one"}),
        ({"url": "redis://u:one@redis"}, {"url": "redis://u:two@redis"}),
    ],
)
def test_workers_are_replaced_when_the_url_of_redis_that_the_chart_keeps_is_another(
    chart: Chart, before: Values, after: Values
) -> None:
    assert told_redis(chart, before) == told_redis(chart, before)
    assert told_redis(chart, before) != told_redis(chart, after)


def told_redis(chart: Chart, redis: Values) -> str:
    """The Secret that the operator has workers read, which is there and says where Redis is."""
    objects = chart.render({"redis": redis})
    secret = of_kind(objects, "Secret")["redis"]
    named = environment(objects, "operator")["CAMERA_INGEST_WORKER_REDIS_SECRET"]
    assert secret["metadata"]["name"] == named
    service = f"redis://{RELEASE}-camera-ingest-redis.{NAMESPACE}:6379/0"
    assert secret["stringData"] == {"url": redis.get("url", service)}
    return named


def test_a_secret_of_the_users_is_named_as_he_names_it(chart: Chart) -> None:
    objects = chart.render({"redis": {"existingSecret": "mine"}})
    assert environment(objects, "operator")["CAMERA_INGEST_WORKER_REDIS_SECRET"] == "mine"
    assert of_kind(objects, "Secret") == {}
