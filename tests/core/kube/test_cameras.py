"""Cameras of a watch, found by name and by id."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ingest_core import lenient
from ingest_core.errors import ApiUnavailable
from ingest_core.kube.cameras import KubeCameras
from ingest_core.kube.client import Call
from ingest_core.kube.resources import CAMERAS
from ingest_core.model import Camera
from tests.fakes.memory_api import put_camera
from tests.fakes.virtual_time import in_virtual_time
from tests.fakes.watched_api import WatchedApi, WatchedServer


@asynccontextmanager
async def seeing(server: WatchedServer) -> AsyncIterator[tuple[KubeCameras, WatchedApi]]:
    api = WatchedApi(server)
    cameras = KubeCameras(api)
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


@in_virtual_time
async def test_a_camera_is_found_by_its_id_which_may_be_another_than_its_name() -> None:
    server = WatchedServer()
    put_camera(server, "lobby")
    put_camera(server, "cam-001", cameraId="cam_001")
    async with seeing(server) as (cameras, _):
        found = [cameras.by_id(one) for one in ("lobby", "cam_001", "cam-001", "")]
        assert [one and one.name for one in found] == ["lobby", "cam-001", None, None]


@in_virtual_time
async def test_of_several_with_one_id_the_oldest_is_it_for_as_long_as_it_is_there() -> None:
    server = WatchedServer()

    def made(name: str, hour: int) -> None:
        put_camera(server, name, cameraId="door")
        stamp = f"2026-11-22T{hour:02}:00:00Z"
        server.put(CAMERAS, name, metadata={"creationTimestamp": stamp})

    made("a", 9)
    made("b", 8)
    async with seeing(server) as (cameras, _):

        async def found() -> str | None:
            await server.flush()
            one = cameras.by_id("door")
            return one.name if one else None

        assert await found() == "b"
        made("c", 7)
        assert await found() == "c"
        server.drop(CAMERAS, "c")
        assert await found() == "b"
        server.drop(CAMERAS, "b")
        server.drop(CAMERAS, "a")
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
async def test_nothing_is_told_before_it_has_been_read_and_then_everything() -> None:
    server = WatchedServer()
    for name in ("a", "b"):
        put_camera(server, name)
    api = WatchedApi(server)

    async def hold_back(_call: Call) -> None:
        raise ApiUnavailable("not yet")

    async def at_once(_call: Call) -> None: ...

    api.before = hold_back
    cameras = KubeCameras(api)
    running = asyncio.create_task(cameras.run())
    async with cameras.changes() as changes:
        first = asyncio.ensure_future(anext(changes))
        await asyncio.sleep(60)
        put_camera(server, "c")
        await server.flush()
        assert (cameras.synced, first.done()) == (False, False)
        api.before = at_once
        assert await first == {"a", "b", "c"}
        assert cameras.synced
        assert cameras.by_id("c") is not None
        async with cameras.changes() as later:
            assert await anext(later) == {"a", "b", "c"}
    running.cancel()
