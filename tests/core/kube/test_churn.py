"""Everything at once, at random, on the real API server: in the end the copy is what is there."""

import asyncio
import contextlib
import json
import random
from typing import Any

import pytest

from ingest_core import lenient
from ingest_core.errors import ApiConflict, ApiNotFound, ApiUnavailable
from ingest_core.kube.cameras import KubeCameras
from ingest_core.kube.client import Api
from ingest_core.kube.resources import CAMERAS
from ingest_core.model import Camera
from tests.cluster.api_server import ApiServer
from tests.cluster.proxy import Proxy
from tests.fakes.real_api import following, manifest, until

STEPS = 150
NAMES = [f"camera-{number}" for number in range(12)]
IDS = ["lobby", "door", None]


class Users:
    """They write past the proxy; some of their answers reach the copy as writes of its own."""

    def __init__(self, api: Api, cameras: KubeCameras, draw: random.Random) -> None:
        self._api = api
        self._cameras = cameras
        self._draw = draw

    async def act(self) -> None:
        name = self._draw.choice(NAMES)
        how = self._draw.choice([self._create, self._change, self._change, self._delete])
        # It is there already, or is not, or the server is being restarted.
        with contextlib.suppress(ApiConflict, ApiNotFound, ApiUnavailable):
            await how(name)

    async def _create(self, name: str) -> None:
        camera_id = self._draw.choice(IDS)
        spec = {} if camera_id is None else {"cameraId": camera_id}
        answer = await self._api.create(CAMERAS, manifest(name, **spec), manager="test")
        await self._told(answer)

    async def _change(self, name: str) -> None:
        patch = {"spec": {"weight": self._draw.randrange(1, 1000)}}
        await self._told(await self._api.merge(CAMERAS, name, patch, manager="test"))

    async def _delete(self, name: str) -> None:
        uid = json.loads(await self._api.get(CAMERAS, name))["metadata"]["uid"]
        await self._api.delete(CAMERAS, name, uid=uid)
        if self._draw.random() < 0.5:
            self._cameras.drop(name, uid)

    async def _told(self, answer: bytes) -> None:
        if self._draw.random() < 0.5:
            await asyncio.sleep(self._draw.choice([0, 0, 0.01]))
            self._cameras.put(lenient.decode(answer, Camera))


class Network:
    """It fails a little all the time."""

    def __init__(self, wire: Proxy, draw: random.Random) -> None:
        self._wire = wire
        self._draw = draw

    async def act(self) -> None:
        luck = self._draw.random()
        if luck < 0.05:
            await self._wire.cut()
        elif luck < 0.08:
            await self._wire.delay(self._draw.choice([0.0, 0.005, 0.05]))
        elif luck < 0.1:
            await self._wire.refuse()
            await asyncio.sleep(self._draw.uniform(0, 0.05))
            await self._wire.heal()


async def never_older(cameras: KubeCameras) -> None:
    """Of each object, what is known only ever gets newer."""
    newest: dict[str, int] = {}
    async with cameras.changes() as changes:
        async for names in changes:
            for metadata in (cameras.cameras[one].metadata for one in names & set(cameras.cameras)):
                number = int(metadata.resource_version)
                assert newest.get(metadata.uid, 0) <= number
                newest[metadata.uid] = number


@pytest.mark.parametrize("seed", [1])
async def test_in_the_end_the_copy_is_what_is_there(
    api_server: ApiServer, near: Api, far: Api, wire: Proxy, seed: int
) -> None:
    draw = random.Random(seed)
    cameras = KubeCameras(far)
    async with following(cameras), asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(never_older(cameras))
        users, network = Users(near, cameras, draw), Network(wire, draw)
        for step in range(STEPS):
            await users.act()
            await network.act()
            if step == STEPS // 2:
                expiring = asyncio.to_thread(api_server.expire_history)
                restarted = tasks.create_task(expiring)
                await users.act()
                await restarted
        await wire.heal()
        wanted = await listed(near)
        await until(cameras, lambda: known(cameras) == wanted)
        watching.cancel()
    for camera_id in {camera.id for camera in cameras.cameras.values()} | {"lobby", "nobody"}:
        named = (one for one in cameras.cameras.values() if one.id == camera_id)
        oldest = min(named, key=lambda one: one.metadata.seniority, default=None)
        assert cameras.by_id(camera_id) == oldest


def known(cameras: KubeCameras) -> dict[str, Any]:
    return {name: one.metadata.resource_version for name, one in cameras.cameras.items()}


async def listed(api: Api) -> dict[str, Any]:
    metadata = [one["metadata"] for one in json.loads(await api.get(CAMERAS))["items"]]
    return {one["name"]: one["resourceVersion"] for one in metadata}
