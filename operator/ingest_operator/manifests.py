"""What a pool is made of, as manifests. Pure: the same pool gives the same manifests.

A StatefulSet of workers and what they need: a headless Service, a ServiceAccount, Roles that allow
exactly what a worker calls and the very Secrets that its pool's cameras name, and a budget for
disruptions. All are owned by the CameraPool, so they live on while the operator does not.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from ingest_core import names
from ingest_core.kube.resources import (
    DISRUPTION_BUDGETS,
    POOLS,
    ROLE_BINDINGS,
    ROLES,
    SERVICE_ACCOUNTS,
    SERVICES,
    STATEFUL_SETS,
    Resource,
)
from ingest_core.kube.rules import Rule
from ingest_core.pool import CameraPool
from ingest_operator.permissions import worker_rules
from ingest_operator.settings import OperatorSettings

_TMP: Final = "tmp"  # the volume at /tmp
NAMES_OF_A_ROLE: Final = 500
FAREWELL_SECONDS: Final = 10  # of a pod's grace, that a worker has left after it was relieved
# An emptyDir keeps a cluster autoscaler from removing the node; in this one is nothing to keep.
_EVICTABLE: Final = {"cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes": _TMP}
_IDENTITY: Final = ("runAsUser", "runAsGroup", "fsGroup")
_MOST_BUCKETS: Final = 1 << 10
_MOST_WORKERS: Final = 1000  # of a pool, as its CRD has it


@dataclass(frozen=True, slots=True)
class Manifest:
    """An object to be applied."""

    resource: Resource
    name: str
    body: Mapping[str, Any]


def selector(pool: str) -> Mapping[str, str]:
    """Labels by which a pool's pods are found."""
    return {names.LABEL_POOL: pool, names.LABEL_COMPONENT: names.WORKER}


def selector_text(pool: str) -> str:
    """The same for a label selector in a URL, and for `scale`."""
    return ",".join(f"{key}={value}" for key, value in selector(pool).items())


def manifests(
    pool: CameraPool,
    settings: OperatorSettings,
    replicas: int,
    secrets: Iterable[str],
    pods: int,
) -> tuple[Manifest, ...]:
    """Everything of a pool, in the order in which it is applied.

    Args:
        pool: As its user wants it.
        settings: Of the operator: what a pool may leave unsaid.
        replicas: Workers that are to run now.
        secrets: Names of the Secrets that the pool's cameras name.
        pods: One more than the highest number of a pod that is there, ending or not.
    """
    make = _Maker(pool, settings)
    return (
        make.service_account(),
        *make.roles(secrets, _seats(pool, replicas, pods)),
        make.service(),
        make.disruption_budget(),
        make.stateful_set(replicas),
    )


def buckets(secrets: Iterable[str]) -> tuple[tuple[str, ...], ...]:
    """Names shared out so that a name more changes one bucket, and none holds over 500.

    By a hash of the name into as few powers of two as hold them.
    """
    every = sorted(set(secrets))
    count = 1
    while count <= _MOST_BUCKETS:
        shared: list[list[str]] = [[] for _ in range(count)]
        for name in every:
            shared[_hash(name) % count].append(name)
        if max(map(len, shared)) <= NAMES_OF_A_ROLE:
            return tuple(map(tuple, shared))
        count *= 2
    raise AssertionError("more Secrets than a namespace can hold")


def _seats(pool: CameraPool, replicas: int, pods: int) -> int:
    """How many workers there are or may be before the Role is written again."""
    scaling = pool.spec.autoscaling
    wanted = pool.spec.replicas if scaling is None else scaling.max_replicas
    return min(_MOST_WORKERS, max(replicas, wanted, pods))


def _hash(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8])


@dataclass(frozen=True, slots=True)
class _Maker:
    pool: CameraPool
    settings: OperatorSettings

    @property
    def name(self) -> str:
        return self.pool.metadata.name

    @property
    def account(self) -> str:
        return f"{self.name}-worker"

    def service_account(self) -> Manifest:
        annotations = dict(self.pool.spec.worker.service_account_annotations)
        manifest = self._manifest(SERVICE_ACCOUNTS, self.account, {})
        metadata = {**manifest.body["metadata"], "annotations": annotations}
        return Manifest(manifest.resource, manifest.name, {**manifest.body, "metadata": metadata})

    def roles(self, secrets: Iterable[str], seats: int) -> Iterable[Manifest]:
        """One Role for what each worker calls, and one for each bucket of Secrets."""
        leases = tuple(f"{self.name}-{number}" for number in range(seats))
        yield from self._role(self.account, worker_rules(leases))
        for number, bucket in enumerate(buckets(secrets)):
            rule = Rule(
                api_groups=("",), resources=("secrets",), verbs=("get",), resource_names=bucket
            )
            yield from self._role(f"{self.name}-secrets-{number}", (rule,) if bucket else ())

    def _role(self, name: str, rules: tuple[Rule, ...]) -> Iterable[Manifest]:
        yield self._manifest(ROLES, name, {"rules": msgspec.to_builtins(rules)})
        yield self._manifest(
            ROLE_BINDINGS,
            name,
            {
                "roleRef": {"apiGroup": ROLES.group, "kind": ROLES.kind, "name": name},
                "subjects": [{"kind": SERVICE_ACCOUNTS.kind, "name": self.account}],
            },
        )

    def service(self) -> Manifest:
        """Headless: it names the pods; nobody is sent to a worker by chance."""
        spec = {
            "clusterIP": "None",
            "publishNotReadyAddresses": True,
            "selector": dict(selector(self.name)),
            "ports": [
                {
                    "name": names.HTTP_PORT,
                    "port": names.WORKER_PORT,
                    "targetPort": names.HTTP_PORT,
                    "protocol": "TCP",
                }
            ],
        }
        return self._manifest(SERVICES, self.name, {"spec": spec})

    def disruption_budget(self) -> Manifest:
        """One worker at a time: the others have room for its cameras, if there are spare ones."""
        spec = {
            "maxUnavailable": 1,
            "selector": {"matchLabels": dict(selector(self.name))},
        }
        return self._manifest(DISRUPTION_BUDGETS, self.name, {"spec": spec})

    def stateful_set(self, replicas: int) -> Manifest:
        """The workers. Parallel: none waits for another to be ready."""
        spec = {
            "replicas": replicas,
            "serviceName": self.name,
            "podManagementPolicy": "Parallel",
            "updateStrategy": {"type": "RollingUpdate"},
            "selector": {"matchLabels": dict(selector(self.name))},
            "template": {
                "metadata": {
                    "labels": {**(self.pool.spec.worker.pod_labels), **self._labels()},
                    "annotations": {**_EVICTABLE, **self.pool.spec.worker.pod_annotations},
                },
                "spec": self._pod(),
            },
        }
        return self._manifest(STATEFUL_SETS, self.name, {"spec": spec})

    def _pod(self) -> dict[str, Any]:
        worker = self.pool.spec.worker
        settings = self.settings
        placed = {
            "nodeSelector": worker.node_selector,
            "tolerations": list(worker.tolerations),
            "affinity": worker.affinity,
            "topologySpreadConstraints": self._spread(),
            "priorityClassName": worker.priority_class_name,
        }
        pull, user = settings.worker_image_pull_secret, settings.worker_user
        return {
            "serviceAccountName": self.account,
            "terminationGracePeriodSeconds": worker.termination_grace_period_seconds,
            "securityContext": {
                "runAsNonRoot": True,
                **(dict.fromkeys(_IDENTITY, user) if user is not None else {}),
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [self._container()],
            "volumes": [{"name": _TMP, "emptyDir": {"sizeLimit": "64Mi"}}, *worker.volumes],
            **({"imagePullSecrets": [{"name": pull}]} if pull else {}),
            **{key: value for key, value in placed.items() if value},
        }

    def _spread(self) -> list[dict[str, Any]]:
        """Constraints; one without a labelSelector is about the pool's own workers."""
        own = {"labelSelector": {"matchLabels": dict(selector(self.name))}}
        return [{**own, **one} for one in self.pool.spec.worker.topology_spread_constraints]

    def _container(self) -> dict[str, Any]:
        worker = self.pool.spec.worker
        settings = self.settings
        probe = {"port": names.HTTP_PORT}
        return {
            "name": names.WORKER,
            "image": worker.image or settings.worker_image,
            "imagePullPolicy": worker.image_pull_policy or settings.worker_image_pull_policy,
            "args": ["worker"],
            "env": self._environment(),
            **({"envFrom": list(worker.env_from)} if worker.env_from else {}),
            "ports": [
                {"name": names.HTTP_PORT, "containerPort": names.WORKER_PORT, "protocol": "TCP"}
            ],
            "resources": worker.resources or {},
            "livenessProbe": {
                "httpGet": {"path": "/healthz", **probe},
                "periodSeconds": 10,
                "timeoutSeconds": 5,
                "failureThreshold": 6,
            },
            "readinessProbe": {
                "httpGet": {"path": "/readyz", **probe},
                "periodSeconds": 2,
                "timeoutSeconds": 2,
            },
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            },
            "volumeMounts": [
                {"name": _TMP, "mountPath": "/tmp"},  # noqa: S108 - in the pod
                *worker.volume_mounts,
            ],
        }

    def _environment(self) -> list[dict[str, Any]]:
        lease = self.pool.spec.lease
        grace = self.pool.spec.worker.termination_grace_period_seconds
        plain = {
            "POOL": self.name,
            "LISTEN": f":{names.WORKER_PORT}",
            "LEASE_DURATION_SECONDS": str(lease.duration_seconds),
            "LEASE_RENEW_SECONDS": str(lease.renew_seconds),
            "DRAIN_SECONDS": str(max(0, grace - FAREWELL_SECONDS)),
            "LOG_LEVEL": self.settings.worker_log_level,
        }
        fields = {
            "WORKER": "metadata.name",
            "POD_UID": "metadata.uid",
            "NAMESPACE": "metadata.namespace",
        }
        ours: list[dict[str, Any]] = [
            *(
                {
                    "name": f"{names.ENV_PREFIX}{name}",
                    "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": path}},
                }
                for name, path in fields.items()
            ),
            *({"name": f"{names.ENV_PREFIX}{name}", "value": text} for name, text in plain.items()),
            *self._redis(),
        ]
        theirs = self.pool.spec.worker.env
        by_name = {one["name"]: one for one in [*ours, *theirs]}  # the user's in the place of ours
        return list(by_name.values())

    def _redis(self) -> Iterable[dict[str, Any]]:
        reference = self.pool.spec.worker.redis_url_secret_ref
        if reference is not None:
            name, key = reference.name, reference.key
        elif self.settings.worker_redis_secret:
            name, key = self.settings.worker_redis_secret, "url"
        else:
            return
        yield {
            "name": f"{names.ENV_PREFIX}REDIS_URL",
            "valueFrom": {"secretKeyRef": {"name": name, "key": key}},
        }

    def _labels(self) -> dict[str, str]:
        return {
            names.LABEL_NAME: names.APP,
            names.LABEL_MANAGED_BY: names.APP,
            **selector(self.name),
        }

    def _manifest(self, resource: Resource, name: str, parts: Mapping[str, Any]) -> Manifest:
        body = {
            "apiVersion": resource.api_version,
            "kind": resource.kind,
            "metadata": {
                "name": name,
                "labels": self._labels(),
                "ownerReferences": [
                    {
                        "apiVersion": POOLS.api_version,
                        "kind": POOLS.kind,
                        "name": self.name,
                        "uid": self.pool.metadata.uid,
                        "controller": True,
                        "blockOwnerDeletion": False,
                    }
                ],
            },
            **parts,
        }
        return Manifest(resource, name, body)
