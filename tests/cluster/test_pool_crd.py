"""CameraPool, as a real API server has it: what it takes, what it refuses, what it keeps."""

import msgspec
import pytest
import yaml

from ingest_core.kube.resources import POOLS
from ingest_core.lenient import decode
from ingest_core.pool import CameraPool
from tests.cluster.client import Client, Refused
from tests.cluster.plugin import Kubectl
from tests.fakes.whole_objects import POOL, POOL_STATUS, Object, known, paths

SECRET = "hunter2"
WORKER = "spec.worker"


def pool(path: str = "", value: object = None) -> Object:
    """A valid manifest with one field set, or taken out with `...`."""
    raw: Object = {
        "apiVersion": "camera-ingest.io/v1alpha1",
        "kind": "CameraPool",
        "metadata": {"name": "default"},
        "spec": {},
    }
    *parents, last = path.split(".")
    here = raw
    for name in parents:
        here = here.setdefault(name, {})
    if value is ...:
        del here[last]
    elif path:
        here[last] = value
    return raw


def try_to_create(admin: Client, raw: Object) -> Object:
    made: Object = admin.post(POOLS.path("default"), raw, dryRun="All", fieldValidation="Strict")
    return made


SPREAD: Object = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}

GOOD: tuple[tuple[str, object], ...] = (
    ("metadata.name", "a"),
    ("metadata.name", "x" * 52),
    ("metadata.name", "outdoor-2"),
    ("spec", {}),
    ("spec.replicas", 0),
    ("spec.replicas", 1000),
    ("spec.autoscaling", {"maxReplicas": 1}),
    ("spec.autoscaling", {"minReplicas": 0, "maxReplicas": 1000}),
    ("spec.autoscaling", {"minReplicas": 5, "maxReplicas": 5, "targetUtilizationPercent": 100}),
    ("spec.spareWorkers", 100),
    (f"{WORKER}.weightCapacity", 256000),
    (f"{WORKER}.maxCameras", 1000),
    (f"{WORKER}.resources", {"limits": {"cpu": 1}, "requests": {"cpu": "0.5", "memory": "5e8"}}),
    (f"{WORKER}.tolerations", [{"operator": "Exists"}]),
    (f"{WORKER}.affinity", {"nodeAffinity": {"anything": [{"that": 1.5}]}}),
    (f"{WORKER}.topologySpreadConstraints", [SPREAD]),
    (f"{WORKER}.podLabels", {"app": "x", "kubernetes.io/name": "y"}),
    (f"{WORKER}.env", [{"name": "A"}, {"name": "B", "value": "a@b"}, {"name": "C", "value": ""}]),
    (f"{WORKER}.env", [{"name": "A", "value": "http://proxy:3128/x@y"}]),
    (f"{WORKER}.env", [{"name": "A", "valueFrom": {"fileKeyRef": {"key": "of 1.35"}}}]),
    (f"{WORKER}.envFrom", [{"secretRef": {"name": "a"}}]),
    (f"{WORKER}.volumes", [{"name": "ca", "secret": {"secretName": "a", "anything": [1]}}]),
    (f"{WORKER}.volumeMounts", [{"name": "ca", "mountPath": "/ca", "readOnly": True}]),
    (f"{WORKER}.terminationGracePeriodSeconds", 3600),
    ("spec.lease", {"durationSeconds": 3, "renewSeconds": 1}),
    ("spec.lease", {"durationSeconds": 300, "renewSeconds": 149}),
    ("spec.lease", {"durationSeconds": 7}),
    ("spec.rebalance", {"maxMovesPerMinute": 0, "skewPercent": 100}),
)

LEAST = "should be greater than or equal to"
MOST = "should be less than or equal to"
FIELDS: tuple[tuple[str, int, int], ...] = (
    ("spec.replicas", 0, 1000),
    ("spec.spareWorkers", 0, 100),
    (f"{WORKER}.weightCapacity", 1, 256000),
    (f"{WORKER}.maxCameras", 1, 1000),
    (f"{WORKER}.terminationGracePeriodSeconds", 1, 3600),
    ("spec.rebalance.maxMovesPerMinute", 0, 1000),
    ("spec.rebalance.skewPercent", 1, 100),
)
SCALING = "spec.autoscaling"
LEASE = "must be less than half of durationSeconds"
LABELS = "must not have labels of camera-ingest.io/ or app.kubernetes.io/"

# What is set, to what; the field that is to blame, and what is said of it.
BAD: tuple[tuple[str, object, str, str], ...] = (
    ("metadata.name", "x" * 53, "metadata.name", "must be 1 to 52 of the characters"),
    ("metadata.name", "2nd", "metadata.name", "begin with a letter"),
    ("metadata.name", "a.b", "metadata.name", "must be 1 to 52 of the characters"),
    ("spec", ..., "spec", "Required"),
    ("spec.colour", 1, "spec.colour", "unknown field"),
    ("spec.replicas", 1.5, "spec.replicas", "must be of type integer"),
    *((path, low - 1, path, f"{LEAST} {low}") for path, low, _ in FIELDS),
    *((path, high + 1, path, f"{MOST} {high}") for path, _, high in FIELDS),
    (SCALING, {}, f"{SCALING}.maxReplicas", "Required"),
    (SCALING, {"maxReplicas": 0}, f"{SCALING}.maxReplicas", f"{LEAST} 1"),
    (SCALING, {"maxReplicas": 1001}, f"{SCALING}.maxReplicas", f"{MOST} 1000"),
    (SCALING, {"minReplicas": -1, "maxReplicas": 2}, f"{SCALING}.minReplicas", f"{LEAST} 0"),
    (
        SCALING,
        {"minReplicas": 3, "maxReplicas": 2},
        f"{SCALING}.minReplicas",
        "must not be more than maxReplicas",
    ),
    *(
        (
            SCALING,
            {"maxReplicas": 2, "targetUtilizationPercent": percent},
            f"{SCALING}.targetUtilizationPercent",
            rule,
        )
        for percent, rule in ((9, f"{LEAST} 10"), (101, f"{MOST} 100"))
    ),
    (f"{WORKER}.image", "", f"{WORKER}.image", "at least 1 chars long"),
    (f"{WORKER}.image", "x" * 1025, f"{WORKER}.image", "Too long"),
    (f"{WORKER}.imagePullPolicy", "Often", f"{WORKER}.imagePullPolicy", "supported values"),
    (f"{WORKER}.resources", {"limits": {"cpu": "lots"}}, f"{WORKER}.resources.limits.cpu", "match"),
    (f"{WORKER}.resources", {"limit": {}}, f"{WORKER}.resources.limit", "unknown field"),
    (f"{WORKER}.nodeSelector", {"a": True}, f"{WORKER}.nodeSelector.a", "must be of type string"),
    (f"{WORKER}.tolerations", [{"keys": "a"}], f"{WORKER}.tolerations[0].keys", "unknown field"),
    (f"{WORKER}.tolerations", [{}] * 65, f"{WORKER}.tolerations", "at most 64 items"),
    (
        f"{WORKER}.affinity",
        {"nodeaffinity": {}},
        f"{WORKER}.affinity.nodeaffinity",
        "unknown field",
    ),
    (
        f"{WORKER}.topologySpreadConstraints",
        [{**SPREAD, "whenUnsatisfiable": "Never"}],
        f"{WORKER}.topologySpreadConstraints[0].whenUnsatisfiable",
        "supported values",
    ),
    (f"{WORKER}.podLabels", {"app.kubernetes.io/name": "x"}, f"{WORKER}.podLabels", LABELS),
    (f"{WORKER}.podLabels", {"camera-ingest.io/pool": "x"}, f"{WORKER}.podLabels", LABELS),
    (
        f"{WORKER}.env",
        [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}],
        f"{WORKER}.env[1]",
        "Duplicate value",
    ),
    (
        f"{WORKER}.env",
        [{"name": "A", "value": "x", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}],
        f"{WORKER}.env[0]",
        "must not have both value and valueFrom",
    ),
    (
        f"{WORKER}.env",
        [{"name": "A", "value": f"redis://:{SECRET}@redis"}],
        f"{WORKER}.env[0].value",
        "must not hold a URL with a login",
    ),
    (f"{WORKER}.envFrom", [{}], f"{WORKER}.envFrom[0]", "exactly one of configMapRef, secretRef"),
    (f"{WORKER}.volumes", [{"name": "tmp"}], f"{WORKER}.volumes[0].name", "the operator's own"),
    (
        f"{WORKER}.volumeMounts",
        [{"name": "ca"}],
        f"{WORKER}.volumeMounts[0].mountPath",
        "Required value",
    ),
    (
        f"{WORKER}.redisUrlSecretRef",
        {"name": "redis", "key": f"redis://:{SECRET}@redis"},
        f"{WORKER}.redisUrlSecretRef.key",
        "must be 1 to 253 of the characters",
    ),
    (
        f"{WORKER}.redisUrlSecretRef",
        {"name": f"{SECRET}@redis", "key": "url"},
        f"{WORKER}.redisUrlSecretRef.name",
        "must be 1 to 253 of the characters",
    ),
    ("spec.lease", {"durationSeconds": 6}, "spec.lease.renewSeconds", LEASE),
    ("spec.lease", {"renewSeconds": 5}, "spec.lease.renewSeconds", LEASE),
    ("spec.lease", {"durationSeconds": 2, "renewSeconds": 1}, "spec.lease.durationSeconds", LEAST),
    ("spec.lease", {"durationSeconds": 301}, "spec.lease.durationSeconds", MOST),
    ("spec.lease", {"renewSeconds": 0}, "spec.lease.renewSeconds", LEAST),
)


@pytest.mark.parametrize(("path", "value"), GOOD)
def test_a_pool_that_keeps_the_rules_is_taken_and_is_a_pool_to_the_operator(
    admin: Client, path: str, value: object
) -> None:
    made = try_to_create(admin, pool(path, value))
    read = decode(msgspec.json.encode(made), CameraPool)
    wanted = msgspec.convert(pool(path, value), CameraPool)
    assert read.spec == wanted.spec


@pytest.mark.parametrize(("path", "value", "field", "rule"), BAD)
def test_a_pool_that_breaks_a_rule_is_refused_by_field_and_rule(
    admin: Client, path: str, value: object, field: str, rule: str
) -> None:
    with pytest.raises(Refused) as caught:
        try_to_create(admin, pool(path, value))
    assert field in caught.value.message
    assert rule in caught.value.message
    assert SECRET not in caught.value.message


def test_a_pool_with_every_field_comes_back_as_it_went_in(admin: Client, namespace: str) -> None:
    admin.post(POOLS.path(namespace), POOL, fieldValidation="Strict")
    one = POOLS.path(namespace, "outdoor")
    put = {**admin.get(one), "status": POOL_STATUS}
    admin.put(f"{one}/status", put, fieldValidation="Strict")
    there = admin.get(one)
    assert (there["spec"], there["status"]) == (POOL["spec"], POOL_STATUS)


def test_every_field_there_is_was_among_them(admin: Client) -> None:
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/camerapools.camera-ingest.io"
    (version,) = admin.get(path)["spec"]["versions"]
    served = version["schema"]["openAPIV3Schema"]["properties"]
    assert set(known(served["spec"])) <= set(paths(POOL["spec"]))
    assert set(known(served["status"])) == set(paths(POOL_STATUS))


def test_what_is_left_out_has_its_default(admin: Client) -> None:
    assert try_to_create(admin, pool())["spec"] == {
        "replicas": 1,
        "spareWorkers": 0,
        "worker": {
            "weightCapacity": 1000,
            "maxCameras": 100,
            "terminationGracePeriodSeconds": 60,
        },
        "lease": {"durationSeconds": 10, "renewSeconds": 3},
        "rebalance": {"maxMovesPerMinute": 10, "skewPercent": 20},
    }


def test_a_list_of_variables_and_of_tolerations_keeps_its_order_and_its_doubles(
    admin: Client, namespace: str
) -> None:
    tolerations = [{"key": "b"}, {"key": "a"}, {"key": "b"}]
    env = [{"name": "B", "value": "1"}, {"name": "A", "value": "$(B)"}]
    raw = pool("spec.worker", {"env": env, "tolerations": tolerations})
    there = admin.post(POOLS.path(namespace), raw)["spec"]["worker"]
    assert (there["env"], there["tolerations"]) == (env, tolerations)


def test_conditions_of_two_writers_merge_by_type(admin: Client, namespace: str) -> None:
    admin.post(POOLS.path(namespace), pool())
    status = POOLS.path(namespace, "default", "status")
    for manager, own in zip("abc", POOL_STATUS["conditions"], strict=True):
        head = {"apiVersion": POOLS.api_version, "kind": POOLS.kind}
        admin.apply(status, {**head, "status": {"conditions": [own]}}, manager=manager)
    assert admin.get(status)["status"]["conditions"] == POOL_STATUS["conditions"]


# Scale.


def test_a_pool_is_scaled_by_its_subresource(
    admin: Client, namespace: str, kubectl: Kubectl
) -> None:
    there = admin.post(POOLS.path(namespace), pool())
    admin.put(POOLS.path(namespace, "default", "status"), {**there, "status": POOL_STATUS})
    scale = POOLS.path(namespace, "default", "scale")
    before = admin.get(scale)
    assert before["kind"] == "Scale"
    assert before["spec"] == {"replicas": 1}
    assert before["status"] == {"replicas": 3, "selector": POOL_STATUS["selector"]}
    admin.put(scale, {**before, "spec": {"replicas": 4}})
    kubectl("scale", "campool/default", "--current-replicas=4", "--replicas=7")
    there = admin.get(POOLS.path(namespace, "default"))
    assert (there["spec"]["replicas"], there["status"]) == (7, POOL_STATUS)
    with pytest.raises(Refused, match=f"spec.replicas in body {MOST} 1000"):
        admin.merge(scale, {"spec": {"replicas": 1001}})


def test_a_pool_that_scales_itself_can_still_be_written_through_scale(
    admin: Client, namespace: str
) -> None:
    admin.post(POOLS.path(namespace), pool(SCALING, {"maxReplicas": 3}))
    scale = POOLS.path(namespace, "default", "scale")
    assert admin.merge(scale, {"spec": {"replicas": 5}})["spec"]["replicas"] == 5


# What it looks like.


def test_kubectl_shows_what_a_person_looks_for(
    admin: Client, namespace: str, kubectl: Kubectl
) -> None:
    there = admin.post(POOLS.path(namespace), POOL)
    admin.put(POOLS.path(namespace, "outdoor", "status"), {**there, "status": POOL_STATUS})
    header, row = kubectl("get", "campool").stdout.splitlines()
    assert header.split() == ["NAME", "READY", "WORKERS", "CAMERAS", "UNASSIGNED", "LOAD%", "AGE"]
    assert row.split()[:-1] == ["outdoor", "False", "2", "41", "1", "63"]
    header, row = kubectl("get", "camerapools", "-o", "wide").stdout.splitlines()
    assert header.split()[7:] == ["PODS", "READYPODS", "ASSIGNED", "REASON", "MESSAGE"]
    assert row.split()[7:11] == ["3", "2", "40", "WorkersMissing"]
    assert row.endswith("2 of 3 workers are ready")


def test_a_pool_of_yaml_is_applied_and_edited_by_kubectl(kubectl: Kubectl) -> None:
    for replicas in (2, 3):
        text = yaml.safe_dump({**POOL, "spec": {**POOL["spec"], "replicas": replicas}})
        kubectl("apply", "--server-side", "-f", "-", stdin=text)
        found = kubectl("get", "campool", "outdoor", "-o", "jsonpath={.spec.replicas}").stdout
        assert found == str(replicas)
