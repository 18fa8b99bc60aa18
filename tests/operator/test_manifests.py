"""What a pool is made of, value by value."""

import hashlib
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest_core.kube.rules import Rule
from ingest_core.model import SecretRef
from ingest_core.pool import Autoscaling, CameraPool, LeaseTerms
from ingest_operator.manifests import buckets, manifests, selector_text
from ingest_operator.permissions import worker_rules
from ingest_operator.settings import OperatorSettings
from tests.fakes.states import pool

EVICTABLE = "cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes"
SELECTOR = {"camera-ingest.io/pool": "gate", "app.kubernetes.io/component": "worker"}
LABELS = {
    **SELECTOR,
    "app.kubernetes.io/name": "camera-ingest",
    "app.kubernetes.io/managed-by": "camera-ingest",
}
OWNER = {
    "apiVersion": "camera-ingest.io/v1alpha1",
    "kind": "CameraPool",
    "name": "gate",
    "uid": "uid-of-gate",
    "controller": True,
    "blockOwnerDeletion": False,
}


def gate(**spec: Any) -> CameraPool:
    return pool("gate", **spec)


def made(
    of: CameraPool | None = None, *secrets: str, replicas: int = 3, **settings: Any
) -> dict[tuple[str, str], Any]:
    """The manifests by kind and name."""
    every = manifests(of or gate(), OperatorSettings(**settings), replicas, secrets, 0)
    return {(one.resource.kind, one.name): sent(one.body) for one in every}


def sent(body: object) -> Any:
    """As it goes over the wire."""
    return msgspec.json.decode(msgspec.json.encode(body))


def stateful_set(of: CameraPool | None = None, **settings: Any) -> Any:
    return made(of, **settings)["StatefulSet", "gate"]["spec"]


def pod(of: CameraPool | None = None, **settings: Any) -> Any:
    return stateful_set(of, **settings)["template"]["spec"]


def container(of: CameraPool | None = None, **settings: Any) -> Any:
    (one,) = pod(of, **settings)["containers"]
    return one


def environment(of: CameraPool | None = None, **settings: Any) -> dict[str, Any]:
    env = container(of, **settings)["env"]
    return {one["name"]: one.get("value", one.get("valueFrom")) for one in env}


def test_a_pool_is_made_of_these_in_this_order() -> None:
    """An account before what names it, and the pods last."""
    assert list(made()) == [
        ("ServiceAccount", "gate-worker"),
        ("Role", "gate-worker"),
        ("RoleBinding", "gate-worker"),
        ("Role", "gate-secrets-0"),
        ("RoleBinding", "gate-secrets-0"),
        ("Service", "gate"),
        ("PodDisruptionBudget", "gate"),
        ("StatefulSet", "gate"),
    ]


def test_everything_is_labelled_and_owned_by_the_pool_so_that_it_ends_with_it() -> None:
    for (kind, name), body in made().items():
        assert body["kind"] == kind
        assert body["metadata"]["name"] == name
        assert body["metadata"]["labels"] == LABELS
        assert body["metadata"]["ownerReferences"] == [OWNER]


def test_the_same_pool_gives_the_same_manifests() -> None:
    one, other = made(gate(), "a", "b", "b"), made(gate(), "b", "a")
    assert one == other
    assert msgspec.json.encode(list(one.values())) == msgspec.json.encode(list(other.values()))


def test_the_service_is_headless_names_every_pod_and_has_the_workers_port() -> None:
    assert made()["Service", "gate"]["spec"] == {
        "clusterIP": "None",
        "publishNotReadyAddresses": True,
        "selector": SELECTOR,
        "ports": [{"name": "http", "port": 8080, "targetPort": "http", "protocol": "TCP"}],
    }


def test_one_worker_at_a_time_may_be_disrupted() -> None:
    assert made()["PodDisruptionBudget", "gate"]["spec"] == {
        "maxUnavailable": 1,
        "selector": {"matchLabels": SELECTOR},
    }


def test_the_stateful_set_starts_its_pods_in_parallel_under_the_headless_service() -> None:
    spec = stateful_set()
    assert spec["replicas"] == 3
    assert spec["serviceName"] == "gate"
    assert spec["podManagementPolicy"] == "Parallel"
    assert spec["updateStrategy"] == {"type": "RollingUpdate"}
    assert spec["selector"] == {"matchLabels": SELECTOR}
    assert spec["template"]["metadata"]["labels"] == LABELS
    assert selector_text("gate") == ",".join(f"{key}={value}" for key, value in SELECTOR.items())


def test_a_pod_runs_as_who_the_operator_is_told_or_the_platform_says() -> None:
    identity = {"runAsUser", "runAsGroup", "fsGroup"}
    told = pod(worker_user=1234)["securityContext"]
    assert {key: told[key] for key in identity} == dict.fromkeys(identity, 1234)
    assert not identity & set(pod()["securityContext"])


def test_a_pod_keeps_to_the_restricted_standard() -> None:
    """https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted."""
    assert pod()["securityContext"] == {
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert container()["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod()["volumes"] == [{"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}}]
    assert container()["volumeMounts"] == [{"name": "tmp", "mountPath": "/tmp"}]
    assert pod()["serviceAccountName"] == "gate-worker"


def test_a_container_is_the_worker_with_its_port_and_probes() -> None:
    one = container()
    assert (one["name"], one["args"]) == ("worker", ["worker"])
    assert one["ports"] == [{"name": "http", "containerPort": 8080, "protocol": "TCP"}]
    assert one["livenessProbe"] == {
        "httpGet": {"path": "/healthz", "port": "http"},
        "periodSeconds": 10,
        "timeoutSeconds": 5,
        "failureThreshold": 6,
    }
    assert one["readinessProbe"] == {
        "httpGet": {"path": "/readyz", "port": "http"},
        "periodSeconds": 2,
        "timeoutSeconds": 2,
    }


def test_a_worker_is_told_who_it_is_and_for_how_long_its_lease_counts() -> None:
    of = gate(
        lease=LeaseTerms(duration_seconds=20, renew_seconds=6),
        worker_termination_grace_period_seconds=90,
    )
    assert environment(of, worker_log_level="debug") == {
        "CAMERA_INGEST_WORKER": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}},
        "CAMERA_INGEST_POD_UID": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.uid"}},
        "CAMERA_INGEST_NAMESPACE": {
            "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}
        },
        "CAMERA_INGEST_POOL": "gate",
        "CAMERA_INGEST_LISTEN": ":8080",
        "CAMERA_INGEST_LEASE_DURATION_SECONDS": "20",
        "CAMERA_INGEST_LEASE_RENEW_SECONDS": "6",
        "CAMERA_INGEST_DRAIN_SECONDS": "80",
        "CAMERA_INGEST_LOG_LEVEL": "debug",
    }


@pytest.mark.parametrize(("grace", "drain"), [(60, "50"), (10, "0"), (1, "0")])
def test_a_worker_drains_for_its_grace_less_a_farewell(grace: int, drain: str) -> None:
    of = gate(worker_termination_grace_period_seconds=grace)
    assert environment(of)["CAMERA_INGEST_DRAIN_SECONDS"] == drain
    assert pod(of)["terminationGracePeriodSeconds"] == grace


def test_where_events_go_comes_from_a_secret_and_the_pools_own_one_counts() -> None:
    name = "CAMERA_INGEST_REDIS_URL"
    assert name not in environment()
    assert environment(worker_redis_secret="shared")[name] == {
        "secretKeyRef": {"name": "shared", "key": "url"}
    }
    own = gate(worker_redis_url_secret_ref=SecretRef(name="mine", key="address"))
    assert environment(own, worker_redis_secret="shared")[name] == {
        "secretKeyRef": {"name": "mine", "key": "address"}
    }


def test_a_pool_may_name_its_image_and_else_the_operator_does() -> None:
    settings: dict[str, Any] = {
        "worker_image": "registry.example/worker:2",
        "worker_image_pull_policy": "Always",
        "worker_image_pull_secret": "pull",
    }
    one = container(**settings)
    assert (one["image"], one["imagePullPolicy"]) == ("registry.example/worker:2", "Always")
    assert pod(**settings)["imagePullSecrets"] == [{"name": "pull"}]
    own = gate(worker_image="mine:1", worker_image_pull_policy="Never")
    assert (container(own, **settings)["image"], container(own)["imagePullPolicy"]) == (
        "mine:1",
        "Never",
    )


def test_what_a_pool_leaves_unsaid_is_not_said_of_its_pods() -> None:
    unsaid = {
        "nodeSelector",
        "tolerations",
        "affinity",
        "topologySpreadConstraints",
        "priorityClassName",
        "imagePullSecrets",
    }
    assert not unsaid & set(pod())
    assert "envFrom" not in container()
    assert container()["resources"] == {}


def test_what_a_pool_says_of_its_pods_is_passed_on() -> None:
    own_selector = {"labelSelector": {"matchLabels": {"a": "b"}}}
    of = gate(
        worker_resources={"limits": {"memory": "1Gi"}},
        worker_node_selector={"zone": "a"},
        worker_tolerations=({"key": "edge"},),
        worker_affinity={"nodeAffinity": {}},
        worker_topology_spread_constraints=(
            {"maxSkew": 1, "topologyKey": "node"},
            {"maxSkew": 2, "topologyKey": "zone", **own_selector},
        ),
        worker_priority_class_name="high",
        worker_env=({"name": "EXTRA", "value": "1"},),
        worker_env_from=({"secretRef": {"name": "more"}},),
        worker_volumes=({"name": "ca", "secret": {"secretName": "ca"}},),
        worker_volume_mounts=({"name": "ca", "mountPath": "/ca"},),
        worker_pod_labels={"team": "video", "camera-ingest.io/pool": "stolen"},
        worker_pod_annotations={"scrape": "true"},
        worker_service_account_annotations={"role": "arn"},
    )
    spec, one = pod(of), container(of)
    assert one["resources"] == {"limits": {"memory": "1Gi"}}
    assert one["env"][-1] == {"name": "EXTRA", "value": "1"}
    assert one["envFrom"] == [{"secretRef": {"name": "more"}}]
    assert one["volumeMounts"][1:] == [{"name": "ca", "mountPath": "/ca"}]
    assert pod(of)["volumes"][1:] == [{"name": "ca", "secret": {"secretName": "ca"}}]
    assert spec["nodeSelector"] == {"zone": "a"}
    assert spec["tolerations"] == [{"key": "edge"}]
    assert spec["affinity"] == {"nodeAffinity": {}}
    assert spec["topologySpreadConstraints"] == [
        {"labelSelector": {"matchLabels": SELECTOR}, "maxSkew": 1, "topologyKey": "node"},
        {"maxSkew": 2, "topologyKey": "zone", **own_selector},
    ]
    assert spec["priorityClassName"] == "high"
    template = stateful_set(of)["template"]["metadata"]
    assert template["labels"] == {**LABELS, "team": "video"}, "ours cannot be taken over"
    assert template["annotations"] == {EVICTABLE: "tmp", "scrape": "true"}
    account = made(of)["ServiceAccount", "gate-worker"]
    assert account["metadata"]["annotations"] == {"role": "arn"}


def test_a_node_is_removed_in_spite_of_a_workers_tmp_unless_the_pool_says_otherwise() -> None:
    for annotations, said in (({}, "tmp"), ({EVICTABLE: ""}, "")):
        of = gate(worker_pod_annotations=annotations)
        assert stateful_set(of)["template"]["metadata"]["annotations"] == {EVICTABLE: said}
    assert pod(gate())["volumes"][0].keys() == {"name", "emptyDir"}
    assert pod(gate())["volumes"][0]["name"] == "tmp"


# Roles


def test_a_worker_may_do_what_it_calls_and_read_the_secrets_that_its_cameras_name() -> None:
    bodies = made(gate(), "b", "a", "a")
    rules = msgspec.convert(bodies["Role", "gate-worker"]["rules"], tuple[Rule, ...])
    assert rules == worker_rules(("gate-0", "gate-1", "gate-2"))
    assert bodies["Role", "gate-secrets-0"]["rules"] == [
        {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"], "resourceNames": ["a", "b"]}
    ]
    for name in ("gate-worker", "gate-secrets-0"):
        assert bodies["RoleBinding", name]["roleRef"] == {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "Role",
            "name": name,
        }
        assert bodies["RoleBinding", name]["subjects"] == [
            {"kind": "ServiceAccount", "name": "gate-worker"}
        ]


def leases(of: CameraPool, replicas: int, pods: int) -> tuple[str, ...]:
    """Names of the Leases that a pool's workers may renew."""
    every = manifests(of, OperatorSettings(), replicas, (), pods)
    role = next(one.body for one in every if one.name == "gate-worker" and "rules" in one.body)
    named = [one["resourceNames"] for one in role["rules"] if "resourceNames" in one]
    return tuple(named[0]) if named else ()


@pytest.mark.parametrize(
    ("spec", "replicas", "pods", "count"),
    [
        ({"replicas": 3}, 3, 0, 3),
        ({"replicas": 1}, 3, 0, 3),  # two are relieved yet
        ({"replicas": 1}, 1, 3, 3),  # two are ending
        ({"autoscaling": Autoscaling(max_replicas=20)}, 1, 1, 20),  # no Role is written to scale
        ({"replicas": 0}, 0, 0, 0),
    ],
)
def test_a_worker_may_renew_the_leases_of_its_pool_alone(
    spec: dict[str, Any], replicas: int, pods: int, count: int
) -> None:
    assert leases(gate(**spec), replicas, pods) == tuple(f"gate-{n}" for n in range(count))


def test_a_pool_without_workers_has_no_rule_that_allows_every_lease() -> None:
    for rule in worker_rules(()):
        assert "leases" not in rule.resources or rule.verbs == ("create",)


def test_without_a_secret_the_role_allows_nothing() -> None:
    """A rule without names would allow them all."""
    assert made()["Role", "gate-secrets-0"]["rules"] == []


def test_five_hundred_names_fit_into_one_role_and_one_more_makes_two() -> None:
    names = [f"login-{number}" for number in range(501)]
    assert list(map(len, buckets(names[:500]))) == [500]
    assert len(buckets(names)) == 2
    roles = [name for kind, name in made(gate(), *names) if kind == "Role"]
    assert roles == ["gate-worker", "gate-secrets-0", "gate-secrets-1"]


@given(st.sets(st.text("abcdefgh-", min_size=1, max_size=8), max_size=60), st.integers(1, 30))
def test_every_name_is_in_one_bucket_and_no_bucket_holds_too_many(
    names: set[str], times: int
) -> None:
    many = {f"{name}-{number}" for name in names for number in range(times)}
    shared = buckets(many)
    assert sorted(name for bucket in shared for name in bucket) == sorted(many)
    assert max(map(len, shared)) <= 500
    assert len(shared) & (len(shared) - 1) == 0, "a power of two"


def test_a_name_more_changes_one_bucket() -> None:
    names = {hashlib.sha256(str(number).encode()).hexdigest() for number in range(3000)}
    before = buckets(names)
    assert len(before) >= 8
    for name in ("one-more", "another", "and-another"):
        changed = zip(before, buckets({*names, name}), strict=True)
        assert sum(one != other for one, other in changed) == 1
