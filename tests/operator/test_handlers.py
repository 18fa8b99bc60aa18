"""Kopf is told to watch, and nothing else; what it sees goes into the copy."""

import itertools
import logging
from pathlib import Path
from typing import Any

import kopf
import yaml

from ingest_core.kube.access import Access, load
from ingest_operator.cluster import Cluster, Kind
from ingest_operator.handlers import connection, registered, settings
from ingest_operator.sweep import RESOURCES

SERVER = "https://127.0.0.1:6443"


async def access(folder: Path, **user: str) -> Access:
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": "c", "cluster": {"server": SERVER, "insecure-skip-tls-verify": True}}
        ],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u", "namespace": "ours"}}],
        "current-context": "x",
    }
    file = folder / "kubeconfig"
    file.write_text(yaml.safe_dump(config))
    return await load(str(file), {})


def test_it_writes_nothing_and_scans_nothing() -> None:
    chosen = settings()
    assert not chosen.posting.enabled
    assert chosen.scanning.disabled


def test_after_an_outage_its_watches_are_back_soon_however_long_it_was() -> None:
    """Kopf's own pauses grow to 21 s, in which Leases would seem to run out."""
    pauses = settings().networking.error_backoffs
    assert not isinstance(pauses, (int, float))
    assert max(itertools.islice(pauses, 1000)) <= 1


def test_only_our_leases_and_pods_are_watched() -> None:
    selectors = settings().watching.label_selectors
    for kind, selector in {
        Kind.CAMERA: [],
        Kind.POOL: [],
        Kind.LEASE: ["app.kubernetes.io/managed-by=camera-ingest"],
        Kind.POD: ["app.kubernetes.io/managed-by=camera-ingest"],
    }.items():
        one = RESOURCES[kind]
        resource = kopf.Resource(one.group, one.version, one.plural, namespaced=True)
        assert list(selectors.collect(resource)) == selector


async def test_it_comes_by_our_way_to_the_server(tmp_path: Path) -> None:
    info = await connection(await access(tmp_path, token="a-token"), nothing)
    assert (info.server, info.default_namespace) == (SERVER, "ours")
    assert info.expiration is None, "its session is never closed under a watch"
    await info.aiohttp_session.close()


async def nothing() -> None:
    pass


def test_each_try_that_failed_is_not_told() -> None:
    """Twice a second while the API server is away; the watchdog says it once."""
    settings()
    assert not logging.getLogger("kopf._cogs.clients.api").isEnabledFor(logging.CRITICAL)
    assert logging.getLogger("kopf.objects").isEnabledFor(logging.ERROR), "a handler's own error"


async def test_what_it_sees_goes_into_the_copy(tmp_path: Path) -> None:
    cluster = Cluster(lambda: None, lambda: 0.0, 3.0)
    listed: list[str] = []
    registry = registered(
        cluster, await access(tmp_path, token="a-token"), nothing, lambda: listed.append("anew")
    )
    handlers = registry._watching.get_all_handlers()
    see = {str(handler.id): handler.fn for handler in handlers}
    assert set(see) == {f"see {kind}" for kind in Kind}
    metadata = {"name": "lobby", "uid": "u", "resourceVersion": "7"}
    raw: dict[str, Any] = {"metadata": metadata, "spec": {"source": {}}}
    await told(see["see cameras"], None, raw)
    assert set(cluster.cameras) == {"lobby"}
    assert listed == ["anew"]
    await told(see["see cameras"], "MODIFIED", raw)
    await told(see["see cameras"], "DELETED", raw)
    assert not cluster.cameras
    assert listed == ["anew"]


async def told(handler: Any, type_: str | None, raw: Any) -> None:
    await handler(event={"type": type_, "object": raw})
