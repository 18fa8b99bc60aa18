"""What users do by chance while everything breaks: they add, edit, scale and delete."""

import asyncio
import contextlib
import random
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import aiohttp

from ingest_simulator.camera import Auth, SimulatedCamera
from tests.cluster.world import World, captured

REPLICAS: Final = 3
POOL: Final = {
    "replicas": REPLICAS,
    "lease": {"durationSeconds": 6, "renewSeconds": 1},
    "worker": {"weightCapacity": 500, "maxCameras": 12, "terminationGracePeriodSeconds": 40},
    "rebalance": {"maxMovesPerMinute": 6, "skewPercent": 30},
}
CAMERAS: Final = 12
FITS: Final = 1200  # for which three workers have room however it is spread: 3 * (500 - 100)


class Users:
    """Everybody who uses one world.

    Attributes:
        made: Names of all Cameras that ever were; none is used twice.
        exclusive: Those of them that are so from their beginning to their end.
    """

    def __init__(self, cluster: World, draw: random.Random) -> None:
        self._cluster = cluster
        self._random = draw
        self.made: list[str] = []
        self.exclusive: set[str] = set()

    async def begin(self) -> None:
        """A pool, and as many Cameras as are captured without haste."""
        await self._cluster.apply("CameraPool", "default", POOL)
        for _ in range(CAMERAS):
            await self.add_camera()
        await self._cluster.until(all_captured, "everything is captured at the start", 60)

    async def add_camera(self) -> None:
        """By kubectl, or with a login by HTTP."""
        if len(await self._cluster.cameras()) >= 2 * CAMERAS:
            return
        name = f"cam-{len(self.made) + 1}"
        self.made.append(name)
        shape: dict[str, Any] = {"name": name, "width": 160, "height": 120, "fps": 5, "gop": 5}
        if self._random.random() < 0.25:
            camera = SimulatedCamera(**shape, auth=Auth.BASIC, username="u", password="p")
            url = await self._cluster.simulator.add(camera)
            await self._post(name, url.replace("://", "://u:p@"))
            return
        url = await self._cluster.simulator.add(SimulatedCamera(**shape))
        exclusive = self._random.random() < 0.4
        if exclusive:
            self.exclusive.add(name)
        rtsp = {"url": url, "session": "Exclusive" if exclusive else "Shared"}
        weight = self._random.choice((20, 50, 80))
        await self._cluster.apply("Camera", name, {"source": {"rtsp": rtsp}, "weight": weight})

    async def _post(self, name: str, url: str) -> None:
        """What the gateway could not do to its end, its user takes back."""
        body = {"id": name, "source_type": "rtsp", "source_url": url}
        with contextlib.suppress(aiohttp.ClientError):
            async with self._cluster.http.post(
                f"{self._cluster.urls[0]}/api/cameras", json=body
            ) as answer:
                if answer.status == HTTPStatus.CREATED:
                    return
        await self._cluster.delete("cameras", name)

    async def delete_camera(self) -> None:
        names = sorted(await self._cluster.cameras())
        if len(names) > CAMERAS // 2:
            await self._cluster.delete("cameras", self._random.choice(names))

    async def edit_camera(self) -> None:
        cameras = await self._cluster.cameras()
        if not cameras:
            return
        name = self._random.choice(sorted(cameras))
        edit: dict[str, Any] = self._random.choice(
            (
                {"weight": self._random.choice((20, 50, 80))},
                {"suspend": self._random.random() < 0.5},
                {"motion": {"sensitivity": self._random.randrange(100)}},
                {"poolRef": {"name": self._random.choice(("default", "default", "other"))}},
            )
        )
        await self._patch("cameras", name, {"spec": edit})

    async def scale(self) -> None:
        replicas = self._random.choice((2, 3, 4))
        await self._patch("camerapools", "default", {"spec": {"replicas": replicas}})

    async def pool(self) -> None:
        """One more, or one less."""
        there = {
            one["metadata"]["name"] for one in (await self._cluster.get("camerapools"))["items"]
        }
        if "other" in there:
            await self._cluster.delete("camerapools", "other")
        else:
            await self._cluster.apply("CameraPool", "other", {**POOL, "replicas": 1})

    async def end(self) -> None:
        """Ask for nothing that could not be: then everything has to be captured."""
        await self._cluster.apply("CameraPool", "default", POOL)
        weight = 0
        for name, camera in (await self._cluster.cameras()).items():
            weight += camera["spec"]["weight"]
            if weight > FITS:
                await self._cluster.delete("cameras", name)
                continue
            wanted = {"suspend": False, "poolRef": {"name": "default"}}
            if {key: camera["spec"].get(key) for key in wanted} != wanted:
                await self._patch("cameras", name, {"spec": wanted})
        await self._cluster.delete("camerapools", "other")

    async def _patch(self, plural: str, name: str, body: Any) -> None:
        path = self._cluster.path(plural, name)
        await asyncio.to_thread(self._cluster.server.admin.merge, path, body)


def all_captured(cameras: Mapping[str, Any]) -> bool:
    return bool(cameras) and all(map(captured, cameras.values()))
