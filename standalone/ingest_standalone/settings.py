"""What the standalone program is told at its start."""

from collections.abc import Callable, Mapping
from typing import Annotated, Final

from msgspec import Meta

from ingest_core.http import parse_listen
from ingest_core.logs import LogFormat
from ingest_worker import redis_url
from ingest_worker.redis_url import NO_REDIS
from ingest_worker.settings import WorkerSettings


class StandaloneSettings(WorkerSettings, frozen=True, kw_only=True):
    """Read once, in `cli`."""

    cameras: Annotated[str, Meta(description="Directory of Camera manifests; made if missing.")] = (
        "cameras"
    )
    listen: Annotated[
        str,
        Meta(
            description="HOST:PORT of the HTTP API. It has no authentication; "
            ":8000 is every interface."
        ),
    ] = "127.0.0.1:8000"
    redis_url: Annotated[
        str | None,
        Meta(
            description="Where events go: redis://, rediss:// (TLS), unix://, redis+cluster:// or "
            f"redis+sentinel://, '{NO_REDIS}' for nowhere; not given: an embedded Redis. With a "
            "password, use the variable: arguments are seen by everybody."
        ),
    ] = None
    log_format: Annotated[LogFormat, Meta(description="Lines for people or for machines.")] = (
        "console"
    )

    def __repr__(self) -> str:
        return "StandaloneSettings(***)"  # the Redis URL may hold a password


def shows_password(url: str) -> bool:
    """Does a Redis URL hold a login? One that breaks a rule is told by `CHECKS`."""
    return url != NO_REDIS and redis_url.parse(url).credentials is not None


CHECKS: Final[Mapping[str, Callable[[str], object]]] = {
    "listen": parse_listen,
    "redis_url": shows_password,
}
