"""The recorder has every version, whatever the API server suffers, or it says that it has not."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from ingest_core.names import API_VERSION
from tests.cluster.api_server import ApiServer
from tests.cluster.client import Client
from tests.cluster.history import CameraVersion, PoolVersion
from tests.cluster.recorder import Hole, Recorder, record


@pytest.fixture
def path(namespace: str) -> str:
    return f"/apis/{API_VERSION}/namespaces/{namespace}"


@pytest.fixture
async def recorder(api_server: ApiServer, namespace: str) -> AsyncIterator[Recorder]:
    async with record(api_server.etcd, namespace) as recorder:
        yield recorder


def make(admin: Client, path: str, name: str, **spec: object) -> Any:
    """A Camera."""
    source = {"rtsp": {"url": "rtsp://camera.example/stream"}}
    return admin.post(
        f"{path}/cameras",
        {
            "apiVersion": API_VERSION,
            "kind": "Camera",
            "metadata": {"name": name},
            "spec": {"source": source, **spec},
        },
    )


def make_pool(admin: Client, path: str, name: str, **spec: object) -> None:
    manifest = {"apiVersion": API_VERSION, "kind": "CameraPool", "metadata": {"name": name}}
    admin.post(f"{path}/camerapools", {**manifest, "spec": spec})


def assign(admin: Client, path: str, name: str, worker: str, epoch: int) -> None:
    status = {"assignment": {"worker": worker, "epoch": epoch}}
    admin.merge(f"{path}/cameras/{name}/status", {"status": status})


async def epochs(recorder: Recorder) -> list[int]:
    return [v.epoch for v in await recorder.history() if isinstance(v, CameraVersion)]


async def test_every_version_is_recorded_in_the_order_of_the_store(
    recorder: Recorder, admin: Client, path: str
) -> None:
    worker = {"weightCapacity": 1000, "maxCameras": 50}
    make_pool(admin, path, "default", worker=worker, replicas=2)
    made = make(admin, path, "lobby", weight=70, poolRef={"name": "default"})
    assign(admin, path, "lobby", "default-1", 4)
    admin.delete(f"{path}/cameras/lobby")
    pool, fresh, assigned, gone = await recorder.history()
    assert isinstance(pool, PoolVersion)
    assert (pool.weight_capacity, pool.max_cameras, pool.replicas) == (1000, 50, 2)
    assert isinstance(fresh, CameraVersion)
    assert (fresh.name, fresh.uid) == ("lobby", made["metadata"]["uid"])
    assert fresh.revision == int(made["metadata"]["resourceVersion"])
    assert (fresh.pool, fresh.weight, fresh.worker) == ("default", 70, None)
    assert isinstance(assigned, CameraVersion)
    assert (assigned.worker, assigned.epoch, assigned.deleted) == ("default-1", 4, False)
    assert isinstance(gone, CameraVersion)
    assert (gone.uid, gone.worker, gone.deleted) == (fresh.uid, "default-1", True)
    assert pool.revision < fresh.revision < assigned.revision < gone.revision


async def test_what_was_there_before_is_recorded_with_its_pools_first(
    api_server: ApiServer, admin: Client, path: str, namespace: str
) -> None:
    make(admin, path, "lobby")
    make_pool(admin, path, "default")
    async with record(api_server.etcd, namespace) as recorder:
        assert [version.name for version in await recorder.history()] == ["default", "lobby"]


async def test_other_namespaces_are_none_of_its_business(
    api_server: ApiServer, admin: Client, path: str
) -> None:
    async with record(api_server.etcd, "another") as recorder:
        make(admin, path, "lobby")
        assert await recorder.history() == []


async def test_nothing_is_lost_over_restarts_and_a_compaction(
    recorder: Recorder, api_server: ApiServer, admin: Client, path: str
) -> None:
    make(admin, path, "lobby")
    for epoch in range(1, 4):
        assign(admin, path, "lobby", "default-0", epoch)
    await recorder.history()
    api_server.expire_history(recorder.revision)
    assign(admin, path, "lobby", "default-0", 4)
    api_server.etcd.kill()
    api_server.heal()
    assign(admin, path, "lobby", "default-0", 5)
    assert await epochs(recorder) == [0, 1, 2, 3, 4, 5]


async def test_a_version_that_was_compacted_away_is_a_hole(
    api_server: ApiServer, admin: Client, path: str, namespace: str
) -> None:
    make(admin, path, "lobby")

    async def too_late() -> None:
        async with record(api_server.etcd, namespace):
            assign(admin, path, "lobby", "default-0", 1)  # the loop, and the recorder, stand still
            assign(admin, path, "lobby", "default-0", 2)
            api_server.compact()
            await asyncio.Event().wait()

    with pytest.raises(ExceptionGroup) as raised:
        await too_late()
    assert raised.group_contains(Hole)


async def test_a_camera_is_deleted_when_it_is_gone_and_a_pool_when_it_is_told_to_go(
    recorder: Recorder, admin: Client, path: str
) -> None:
    """A worker captures what a finalizer holds; no worker is wanted in a pool that one holds."""
    make(admin, path, "lobby")
    make_pool(admin, path, "default")
    for where in ("cameras/lobby", "camerapools/default"):
        admin.merge(f"{path}/{where}", {"metadata": {"finalizers": ["example.com/held"]}})
    assign(admin, path, "lobby", "default-0", 1)
    for where in ("cameras/lobby", "camerapools/default"):
        admin.delete(f"{path}/{where}")
        admin.merge(f"{path}/{where}", {"metadata": {"finalizers": None}})
    seen: dict[str, list[bool]] = {}
    for version in await recorder.history():
        seen.setdefault(version.name, []).append(version.deleted)
    assert seen == {"lobby": [False] * 4 + [True], "default": [False] * 2 + [True] * 2}


async def test_who_yields_a_camera_is_recorded_until_its_handover_is_over(
    recorder: Recorder, admin: Client, path: str
) -> None:
    shared = {"source": {"rtsp": {"url": "rtsp://camera.example/stream", "session": "Shared"}}}
    alone = {"source": {"rtsp": {"url": "rtsp://camera.example/stream", "session": "Exclusive"}}}
    handover = {"worker": "default-1", "previous": "default-0", "epoch": 2}
    over = [
        {"stream": {"worker": "default-0", "epoch": 1, "connectedTime": "2026-11-22T09:00:00Z"}},
        {"stream": {"worker": "default-1", "epoch": 2, "connectedTime": "2026-11-22T09:00:01Z"}},
    ]

    def say(name: str, status: object) -> None:
        admin.merge(f"{path}/cameras/{name}/status", {"status": status})

    for name, spec in (("lobby", shared), ("door", shared), ("yard", alone)):
        make(admin, path, name, **spec)
        assign(admin, path, name, "default-0", 1)
        say(name, {"assignment": handover})
    for status in over:
        say("lobby", status)
    say("door", {"stream": {"releasedEpoch": 2}})
    seen: dict[str, list[str | None]] = {}
    for version in await recorder.history():
        if isinstance(version, CameraVersion):
            seen.setdefault(version.name, []).append(version.yielding)
    assert seen == {
        "lobby": [None, None, "default-0", "default-0", None],
        "door": [None, None, "default-0", None],
        "yard": [None, None, None],
    }
