"""CameraPool, a fleet of workers with one shape, as values; the CRD says the same of each field.

The parts of a pod that are passed on as they are (`resources`, `affinity`, `env`, …) stay plain
JSON here: their types are Kubernetes' own, and nothing of ours decides by them.
"""

from typing import Annotated, Any, Final, Literal

from msgspec import Meta, Struct, field

from ingest_core.model import Condition, Metadata, Part, SecretRef

Json = dict[str, Any]
Strings = Annotated[dict[str, str], Meta(max_length=64)]
Replicas = Annotated[int, Meta(ge=0, le=1000)]


class Autoscaling(Part, frozen=True):
    """How the operator chooses how many workers there are, in place of `replicas`."""

    max_replicas: Annotated[int, Meta(ge=1, le=1000)]
    min_replicas: Replicas = 1
    target_utilization_percent: Annotated[int, Meta(ge=10, le=100)] = 80


class WorkerTemplate(Part, frozen=True):
    """The shape of each worker: its budget, and its pod."""

    image: Annotated[str, Meta(min_length=1, max_length=1024)] | None = None
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] | None = None
    weight_capacity: Annotated[int, Meta(ge=1, le=256000)] = 1000
    max_cameras: Annotated[int, Meta(ge=1, le=1000)] = 100
    resources: Json | None = None
    node_selector: Strings = field(default_factory=dict)
    tolerations: Annotated[tuple[Json, ...], Meta(max_length=64)] = ()
    affinity: Json | None = None
    topology_spread_constraints: Annotated[tuple[Json, ...], Meta(max_length=16)] = ()
    priority_class_name: Annotated[str, Meta(max_length=253)] | None = None
    service_account_annotations: Strings = field(default_factory=dict)
    pod_labels: Strings = field(default_factory=dict)
    pod_annotations: Strings = field(default_factory=dict)
    env: Annotated[tuple[Json, ...], Meta(max_length=128)] = ()
    env_from: Annotated[tuple[Json, ...], Meta(max_length=32)] = ()
    volumes: Annotated[tuple[Json, ...], Meta(max_length=32)] = ()
    volume_mounts: Annotated[tuple[Json, ...], Meta(max_length=32)] = ()
    termination_grace_period_seconds: Annotated[int, Meta(ge=1, le=3600)] = 60
    redis_url_secret_ref: SecretRef | None = None


class LeaseTerms(Part, frozen=True):
    """How a worker shows that it lives."""

    duration_seconds: Annotated[int, Meta(ge=3, le=300)] = 10
    renew_seconds: Annotated[int, Meta(ge=1, le=149)] = 3


class Rebalancing(Part, frozen=True):
    """How cameras are moved only to even the workers out."""

    max_moves_per_minute: Annotated[int, Meta(ge=0, le=1000)] = 10
    skew_percent: Annotated[int, Meta(ge=1, le=100)] = 20


class PoolSpec(Part, frozen=True):
    """What the user wants; with `autoscaling`, `replicas` is not looked at."""

    replicas: Replicas = 1
    autoscaling: Autoscaling | None = None
    spare_workers: Annotated[int, Meta(ge=0, le=100)] = 0
    worker: WorkerTemplate = WorkerTemplate()
    lease: LeaseTerms = LeaseTerms()
    rebalance: Rebalancing = Rebalancing()


class PoolStatus(Struct, frozen=True, kw_only=True, rename="camel"):
    """What is. Written whole, zeros too: a person reads a column, and nothing is not zero."""

    observed_generation: int = 0
    replicas: int = 0
    ready_replicas: int = 0
    workers: int = 0
    selector: str = ""
    cameras: int = 0
    assigned: int = 0
    unassigned: int = 0
    utilization_percent: int = 0
    conditions: tuple[Condition, ...] = ()


class CameraPool(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A pool, as applied."""

    metadata: Metadata
    spec: PoolSpec = PoolSpec()
    api_version: Literal["camera-ingest.io/v1alpha1"] = "camera-ingest.io/v1alpha1"
    kind: Literal["CameraPool"] = "CameraPool"
    status: PoolStatus = PoolStatus()

    @property
    def name(self) -> str:
        return self.metadata.name


PROGRESSING: Final = "Progressing"  # conditions of a pool, beside Ready
CAPACITY_EXHAUSTED: Final = "CapacityExhausted"
