"""Cameras of one or two watches, found by name and by id."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial

from ingest_core import lenient
from ingest_core.errors import ApiUnavailable
from ingest_core.kube.cameras import KubeCameras, _Union
from ingest_core.kube.client import Api, Call
from ingest_core.kube.resources import CAMERAS
from ingest_core.model import Camera
from tests.fakes.memory_api import put_camera
from tests.fakes.real_api import following, manifest, until
from tests.fakes.virtual_time import in_virtual_time
from tests.fakes.watched_api import WatchedApi, WatchedServer

MINE = ("status.assignment.worker=w-0", "status.assignment.previous=w-0")


@asynccontextmanager
async def seeing(
    server: WatchedServer, selectors: Sequence[str] = ()
) -> AsyncIterator[tuple[KubeCameras, WatchedApi]]:
    api = WatchedApi(server)
    cameras = KubeCameras(api, selectors)
    running = asyncio.create_task(cameras.run())
    await server.flush()
    try:
        yield cameras, api
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


def camera(server: WatchedServer, name: str) -> Camera:
    return lenient.convert(server.find(CAMERAS, name), Camera)


def version(name: str, number: int) -> Camera:
    raw = manifest(name)
    raw["metadata"]["resourceVersion"] = f"{number}"
    return lenient.convert(raw, Camera)


def test_of_two_copies_the_newer_one_counts_whichever_has_it() -> None:
    old, new, other = version("a", 9), version("a", 10), version("b", 1)
    for parts in ([{"a": old}, {"a": new, "b": other}], [{"a": new}, {"a": old, "b": other}]):
        union = _Union(parts)
        assert dict(union) == {"a": new, "b": other}
        assert len(union) == 2
        assert "c" not in union
    assert dict(_Union([{}, {}])) == {}


@in_virtual_time
async def test_a_camera_is_found_by_its_id_which_may_be_another_than_its_name() -> None:
    server = WatchedServer()
    put_camera(server, "lobby")
    put_camera(server, "cam-001", cameraId="cam_001")
    async with seeing(server) as (cameras, _):
        found = [cameras.by_id(one) for one in ("lobby", "cam_001", "cam-001", "")]
        assert [one and one.name for one in found] == ["lobby", "cam-001", None, None]


@in_virtual_time
async def test_of_several_with_one_id_the_first_by_name_is_it_for_as_long_as_it_is_there() -> None:
    server = WatchedServer()
    for name in ("b", "c"):
        put_camera(server, name, cameraId="door")
    async with seeing(server) as (cameras, _):

        async def found() -> str | None:
            await server.flush()
            one = cameras.by_id("door")
            return one.name if one else None

        assert await found() == "b"
        put_camera(server, "a", cameraId="door")
        assert await found() == "a"
        server.drop(CAMERAS, "a")
        assert await found() == "b"
        server.drop(CAMERAS, "b")
        server.drop(CAMERAS, "c")
        assert await found() is None
        put_camera(server, "b", cameraId="other")  # another one under the same name
        assert await found() is None
        assert not cameras._ids.keys() - {"other"}


@in_virtual_time
async def test_a_camera_of_our_own_making_is_found_at_once_and_one_we_deleted_is_not() -> None:
    server = WatchedServer()
    async with seeing(server) as (cameras, _), cameras.changes() as changes:
        assert await anext(changes) == set()
        put_camera(server, "a", cameraId="door")
        cameras.put(camera(server, "a"))
        assert cameras.by_id("door") is not None
        assert await anext(changes) == {"a"}
        uid = camera(server, "a").metadata.uid
        server.drop(CAMERAS, "a")
        cameras.drop("a", uid)
        assert cameras.by_id("door") is None
        assert await anext(changes) == {"a"}
        await server.flush()
        assert not cameras.cameras


@in_virtual_time
async def test_nothing_is_told_before_both_have_been_read_and_then_everything() -> None:
    server = WatchedServer()
    for name in ("a", "b"):
        put_camera(server, name)
    api = WatchedApi(server)

    async def hold_one_back(call: Call) -> None:
        if call.query.get("fieldSelector") == MINE[1]:
            raise ApiUnavailable("not yet")

    async def at_once(_call: Call) -> None: ...

    api.before = hold_one_back
    cameras = KubeCameras(api, MINE)
    running = asyncio.create_task(cameras.run())
    async with cameras.changes() as changes:
        first = asyncio.ensure_future(anext(changes))
        await asyncio.sleep(60)
        put_camera(server, "c")
        await server.flush()
        seen = [(cameras.synced, first.done(), set(cameras.cameras))]
        assert seen == [(False, False, {"a", "b", "c"})]
        api.before = at_once
        assert await first == {"a", "b", "c"}
        assert cameras.synced
        assert cameras.by_id("c") is not None
        async with cameras.changes() as later:
            assert await anext(later) == {"a", "b", "c"}
    running.cancel()


@in_virtual_time
async def test_it_was_heard_of_as_long_ago_as_of_the_one_that_is_silent() -> None:
    server = WatchedServer()
    async with seeing(server, MINE) as (cameras, _):
        began = min(one.heard for one in cameras._informers)
        await asyncio.sleep(100)
        put_camera(server, "a")
        await server.flush()
        heard = [one.heard for one in cameras._informers]
        assert cameras.heard == min(heard) >= began


async def assign(
    api: Api, name: str, epoch: int, worker: str | None, previous: str | None = None
) -> None:
    status = {"assignment": {"worker": worker, "previous": previous, "epoch": epoch}}
    await api.merge(CAMERAS, name, {"status": status}, manager="test", subresource="status")


async def test_a_worker_sees_what_it_has_and_what_it_hands_over(near: Api) -> None:
    """By two field selectors, on the real API server."""
    for name in ("a", "b"):
        await near.create(CAMERAS, manifest(name), manager="test")
    cameras = KubeCameras(near, MINE)
    async with following(cameras):
        await until(cameras, lambda: cameras.synced)
        assert not cameras.cameras
        seen = []
        moves = [("w-0", None), ("w-1", "w-0"), ("w-1", None), ("w-0", "w-1")]
        for epoch, (worker, previous) in enumerate(moves, 1):
            await assign(near, "a", epoch, worker, previous)
            wanted = epoch if "w-0" in (worker, previous) else 0
            await until(cameras, partial(is_known, cameras, wanted))
            seen.append(set(cameras.cameras))
        assert seen == [{"a"}, {"a"}, set(), {"a"}]
        made = json.loads(await near.get(CAMERAS, "b"))
        cameras.put(lenient.convert(made, Camera))  # what is nobody's is not taken over
        assert set(cameras.cameras) == {"a"}


def is_known(cameras: KubeCameras, epoch: int) -> bool:
    """Is it known with this epoch; 0: not at all?"""
    found = cameras.cameras.get("a")
    return (found.epoch if found else 0) == epoch
