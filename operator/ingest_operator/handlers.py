"""Kopf's part: it watches, we look. Each handler updates the copy, and returns.

Only `on.event`: kopf's other handlers keep state in annotations and finalizers, and its indices
grow superlinearly. Handlers are registered in a registry of their own, not kopf's global one.
"""

import logging
from collections.abc import Awaitable, Callable
from itertools import repeat
from typing import Any, Final

import kopf

from ingest_core.kube.access import Access
from ingest_core.kube.informer import version
from ingest_operator.cluster import Cluster, Kind
from ingest_operator.session import make_session
from ingest_operator.sweep import OURS, RESOURCES

_SELECTED: Final = (Kind.LEASE, Kind.POD, Kind.STATEFUL_SET)
_RETRY_SECONDS: Final = 0.5


def registered(
    cluster: Cluster,
    access: Access,
    reach: Callable[[], Awaitable[None]],
    listed: Callable[[], None],
) -> kopf.OperatorRegistry:
    """The handlers that keep the copy.

    Args:
        cluster: The copy.
        access: Our way to the API server.
        reach: Returns when everything can be read.
        listed: Called when kopf lists anew, as after a 410: it never tells what is gone since.
    """
    registry = kopf.OperatorRegistry()

    async def log_in(**_: Any) -> kopf.AiohttpSession:
        return await connection(access, reach)

    kopf.on.login(registry=registry)(log_in)
    for kind in Kind:
        _watch(registry, cluster, kind, listed)
    return registry


def _watch(
    registry: kopf.OperatorRegistry, cluster: Cluster, kind: Kind, listed: Callable[[], None]
) -> None:
    async def see(event: kopf.RawEvent, **_: Any) -> None:
        raw = event["object"]
        if event["type"] == "DELETED":
            head: Any = raw["metadata"]
            cluster.gone(kind, head["name"], version(head.get("resourceVersion", "")))
        else:
            cluster.see(kind, raw)
        if event["type"] is None:
            listed()

    resource = RESOURCES[kind]
    kopf.on.event(
        resource.group, resource.version, resource.plural, id=f"see {kind}", registry=registry
    )(see)


def settings() -> kopf.OperatorSettings:
    """Kopf as a pair of eyes: it writes nothing, posts nothing, scans nothing."""
    logging.getLogger("kopf").setLevel(logging.WARNING)
    # It tells of each try that failed, twice a second; the watchdog says it once, and what to do.
    logging.getLogger("kopf._cogs.clients").setLevel(logging.CRITICAL + 1)
    chosen = kopf.OperatorSettings()
    chosen.posting.enabled = False
    chosen.scanning.disabled = True
    chosen.watching.chunk_size = 500
    chosen.networking.error_backoffs = repeat(_RETRY_SECONDS)  # kopf's own: up to 21 s of blindness
    for kind in _SELECTED:
        resource = RESOURCES[kind]
        chosen.watching.label_selectors[resource.group, resource.version, resource.plural] = OURS
    return chosen


async def connection(access: Access, reach: Callable[[], Awaitable[None]]) -> kopf.AiohttpSession:
    """Our way to the API server in kopf's words."""
    return kopf.AiohttpSession(
        server=access.configuration.host,
        default_namespace=access.namespace,
        aiohttp_session=make_session(access, reach),
    )
