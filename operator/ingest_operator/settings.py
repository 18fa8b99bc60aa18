"""What the operator is told at its start."""

from collections.abc import Callable, Mapping
from typing import Annotated, Final, Literal

from msgspec import Meta

from ingest_core.http import parse_listen
from ingest_core.kube.leases import demand_room
from ingest_core.settings import Kubeconfig, LogSettings, Namespace


class OperatorSettings(LogSettings, frozen=True, kw_only=True):
    """Read once, in `cli`."""

    listen: Annotated[str, Meta(description="HOST:PORT of /metrics, /healthz and /readyz.")] = (
        ":8081"
    )
    identity: Annotated[
        str | None,
        Meta(description="Name of this replica on the Lease; its start follows. Else: the host's."),
    ] = None
    lease_duration_seconds: Annotated[
        int, Meta(ge=3, le=120, description="Time after which a leader that is silent is replaced.")
    ] = 8
    lease_renew_seconds: Annotated[
        int, Meta(ge=1, le=60, description="Time between two renewals of the leader's Lease.")
    ] = 2
    resync_seconds: Annotated[
        int,
        Meta(ge=5, le=86400, description="Time between two looks at everything, drift included."),
    ] = 300
    worker_image: Annotated[
        str, Meta(description="Image of the workers, where a pool names none.", min_length=1)
    ] = "camera-ingest:latest"
    worker_image_pull_policy: Annotated[
        Literal["Always", "IfNotPresent", "Never"], Meta(description="Where a pool says nothing.")
    ] = "IfNotPresent"
    worker_image_pull_secret: Annotated[
        str | None, Meta(description="Name of a Secret for the registry of the image.")
    ] = None
    worker_user: Annotated[
        Annotated[int, Meta(ge=1, le=2147483647)] | None,
        Meta(description="User and group of workers. Not given: the image's or platform's."),
    ] = None
    worker_log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="Least level of a line.")
    ] = "info"
    worker_redis_secret: Annotated[
        str | None,
        Meta(description="Secret whose key `url` says where events go; a pool may name another."),
    ] = None
    kubeconfig: Kubeconfig = None
    namespace: Namespace = None

    def __post_init__(self) -> None:
        demand_room(self.lease_duration_seconds, self.lease_renew_seconds)


CHECKS: Final[Mapping[str, Callable[[str], object]]] = {"listen": parse_listen}
