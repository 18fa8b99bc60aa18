"""What a worker is told at its start."""

from collections.abc import Callable, Mapping
from typing import Annotated, Final

from msgspec import Meta

from ingest_core import names
from ingest_core.http import parse_listen
from ingest_core.kube.leases import demand_room
from ingest_core.settings import Kubeconfig, LogSettings, Namespace
from ingest_worker import redis_url
from ingest_worker.redis_url import NO_REDIS


class WorkerSettings(LogSettings, frozen=True, kw_only=True):
    """Read once, in `main`."""

    render_threads: Annotated[
        int, Meta(ge=1, le=64, description="Threads that make JPEGs and look at pushed frames.")
    ] = 2
    connects: Annotated[
        int, Meta(ge=1, le=1000, description="Sessions that may connect at once.")
    ] = 32


class ClusterWorkerSettings(WorkerSettings, frozen=True, kw_only=True):
    """Of a worker on Kubernetes; its pool's operator sets them in the pod."""

    worker: Annotated[
        str,
        Meta(
            description="This worker's name: its pod's.",
            pattern=names.WORKER_NAME_PATTERN,
        ),
    ]
    pod_uid: Annotated[
        Annotated[str, Meta(pattern=names.WORKER_NAME_PATTERN)] | None,
        Meta(
            description="Its pod's uid: tells a container that was started again from another pod "
            "of its name, which may run still. Not given: each start waits with Exclusive cameras."
        ),
    ] = None
    pool: Annotated[
        str,
        Meta(
            description="The CameraPool that it belongs to.",
            pattern=names.POOL_NAME_PATTERN,
        ),
    ] = names.DEFAULT_POOL
    listen: Annotated[
        str, Meta(description="HOST:PORT of the frame API that the gateway asks.")
    ] = f":{names.WORKER_PORT}"
    redis_url: Annotated[
        str,
        Meta(
            description="Where events go: redis://, rediss:// (TLS), unix://, redis+cluster:// or "
            f"redis+sentinel://; '{NO_REDIS}' for nowhere. With a password, use the "
            "variable: arguments are seen by everybody."
        ),
    ] = NO_REDIS
    lease_duration_seconds: Annotated[
        int, Meta(ge=3, le=300, description="Time without a renewal that makes it a lost worker.")
    ] = 10
    lease_renew_seconds: Annotated[
        int, Meta(ge=1, le=149, description="Time between two renewals.")
    ] = 3
    drain_seconds: Annotated[
        int,
        Meta(
            ge=0,
            le=3600,
            description="After SIGTERM, time in which its cameras may be moved to others.",
        ),
    ] = 50
    kubeconfig: Kubeconfig = None
    namespace: Namespace = None

    def __post_init__(self) -> None:
        demand_room(self.lease_duration_seconds, self.lease_renew_seconds)

    def __repr__(self) -> str:
        return "ClusterWorkerSettings(***)"  # the Redis URL may hold a password


CHECKS: Final[Mapping[str, Callable[[str], object]]] = {
    "listen": parse_listen,
    "redis_url": lambda url: url == NO_REDIS or redis_url.parse(url),
}
