"""What a gateway on Kubernetes is told at its start."""

from collections.abc import Callable, Mapping
from typing import Annotated, Final

from msgspec import Meta

from ingest_core.http import parse_listen
from ingest_core.settings import Kubeconfig, LogSettings, Namespace


class GatewaySettings(LogSettings, frozen=True, kw_only=True):
    """Read once, in `cli`."""

    listen: Annotated[
        str,
        Meta(
            description="HOST:PORT of the HTTP API. It has no authentication; "
            ":8000 is every interface."
        ),
    ] = ":8000"
    worker_timeout_seconds: Annotated[
        int,
        Meta(ge=1, le=300, description="Time in which a worker must begin to answer."),
    ] = 10
    drain_seconds: Annotated[
        int,
        Meta(
            ge=0,
            le=300,
            description="Time for which it serves on after SIGTERM, not ready any more, until "
            "nobody sends to it.",
        ),
    ] = 5
    kubeconfig: Kubeconfig = None
    namespace: Namespace = None


CHECKS: Final[Mapping[str, Callable[[str], object]]] = {"listen": parse_listen}
