"""Kopf's part: it watches, we look. Each handler updates the copy, and returns.

Only `on.event`: kopf's other handlers keep state in annotations and finalizers, and its indices
grow superlinearly. Handlers are registered in a registry of their own, not kopf's global one.
"""

import logging
from datetime import UTC, datetime, timedelta
from itertools import repeat
from typing import Any, Final

import kopf

from ingest_core.kube.access import REFRESH_SECONDS, Access
from ingest_core.kube.informer import version
from ingest_operator.cluster import Cluster, Kind
from ingest_operator.sweep import OURS, RESOURCES

_SELECTED: Final = (Kind.LEASE, Kind.POD)
_RETRY_SECONDS: Final = 0.5


def registered(cluster: Cluster, access: Access) -> kopf.OperatorRegistry:
    """The handlers that keep the copy."""
    registry = kopf.OperatorRegistry()

    async def log_in(**_: Any) -> kopf.ConnectionInfo:
        return await connection(access)

    kopf.on.login(registry=registry)(log_in)
    for kind in Kind:
        _watch(registry, cluster, kind)
    return registry


def _watch(registry: kopf.OperatorRegistry, cluster: Cluster, kind: Kind) -> None:
    async def see(event: kopf.RawEvent, **_: Any) -> None:
        raw = event["object"]
        if event["type"] == "DELETED":
            head: Any = raw["metadata"]
            cluster.gone(kind, head["name"], version(head.get("resourceVersion", "")))
        else:
            cluster.see(kind, raw)

    resource = RESOURCES[kind]
    kopf.on.event(
        resource.group, resource.version, resource.plural, id=f"see {kind}", registry=registry
    )(see)


def settings() -> kopf.OperatorSettings:
    """Kopf as a pair of eyes: it writes nothing, posts nothing, scans nothing."""
    logging.getLogger("kopf").setLevel(logging.WARNING)
    chosen = kopf.OperatorSettings()
    chosen.posting.enabled = False
    chosen.scanning.disabled = True
    chosen.watching.chunk_size = 500
    chosen.networking.error_backoffs = repeat(_RETRY_SECONDS)  # kopf's own: up to 21 s of blindness
    for kind in _SELECTED:
        resource = RESOURCES[kind]
        chosen.watching.label_selectors[resource.group, resource.version, resource.plural] = OURS
    return chosen


async def connection(access: Access) -> kopf.ConnectionInfo:
    """Our way to the API server in kopf's words, asked for anew: tokens and certificates change."""
    authorization = await access.authorization()
    scheme, _, token = (authorization or "").partition(" ")
    chosen = access.configuration
    return kopf.ConnectionInfo(
        server=chosen.host,
        ca_path=chosen.ssl_ca_cert,
        insecure=not chosen.verify_ssl,
        scheme=scheme.capitalize() or None,
        token=token or None,
        certificate_path=chosen.cert_file,
        private_key_path=chosen.key_file,
        default_namespace=access.namespace,
        trust_env=True,
        expiration=datetime.now(UTC) + timedelta(seconds=REFRESH_SECONDS),
    )
