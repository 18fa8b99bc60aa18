"""The calls that make, show, change and remove cameras."""

import asyncio
from http import HTTPStatus
from typing import Any, Final

from aiohttp import hdrs, web

from ingest_core import manifest
from ingest_core.errors import (
    CameraChanged,
    InvalidManifest,
    Problem,
    RegistryUnavailable,
    UnknownCamera,
)
from ingest_core.http import JSON, json_response, read_json
from ingest_core.model import Camera
from ingest_core.objects import object_name
from ingest_core.registry import CameraRegistry
from ingest_gateway.bodies import CameraBody, CameraList, said, view, wanted
from ingest_gateway.merge_patch import merge
from ingest_gateway.stored_login import demand_anew
from ingest_gateway.workers import Workers

MAX_BODY: Final = 64 * 1024
MERGE_PATCH: Final = "application/merge-patch+json"
PAGE: Final = 500
PATCH_TRIES: Final = 3
_SHOWN: Final = 63


class Cameras:
    """Cameras over HTTP. Patches happen one after another, so that none undoes another."""

    def __init__(self, registry: CameraRegistry, workers: Workers) -> None:
        self._registry = registry
        self._workers = workers
        self._patching = asyncio.Lock()

    async def create(self, request: web.Request) -> web.Response:
        body = await read_json(request, CameraBody, MAX_BODY)
        name = object_name(body.id)
        want = wanted(body, name)
        camera = await self._registry.create(name, want.spec, want.secret)
        headers: dict[str, str] = {hdrs.LOCATION: f"/api/cameras/{camera.id}"}
        return await self._answer(camera, HTTPStatus.CREATED, headers)

    async def list(self, request: web.Request) -> web.Response:
        limit = _limit(request)
        if not self._registry.synced:
            raise RegistryUnavailable("the cameras have not been read yet")
        after = request.query.get("continue", "")
        cameras = self._registry.cameras.values()
        by_age = sorted(cameras, key=lambda camera: camera.metadata.seniority, reverse=True)
        by_id = {camera.id: camera for camera in by_age}  # of several with one id, who has it
        every = [by_id[camera_id] for camera_id in sorted(by_id)]
        rest = [camera for camera in every if camera.id > after]
        page = rest[:limit]
        live = await self._workers.live(page)
        items = tuple(view(camera, live.get(camera.id)) for camera in page)
        more = page[-1].id if len(rest) > limit else None
        return json_response(CameraList(items=items, continue_=more))

    async def read(self, request: web.Request) -> web.Response:
        return await self._answer(self.named(request))

    async def patch(self, request: web.Request) -> web.Response:
        self.named(request)  # before the body: an unknown camera is a 404 whatever is sent
        patch = await read_json(request, dict[str, Any], MAX_BODY, (MERGE_PATCH, JSON))
        async with self._patching:
            for _ in range(PATCH_TRIES - 1):
                try:
                    changed = await self._patched(self.named(request), patch)
                except CameraChanged:  # by kubectl, or another gateway: on top of that, then
                    continue
                return await self._answer(changed)
            changed = await self._patched(self.named(request), patch)
        return await self._answer(changed)

    async def delete(self, request: web.Request) -> web.Response:
        await self._registry.delete(self.named(request).name)
        return web.Response(status=HTTPStatus.NO_CONTENT)

    def named(self, request: web.Request) -> Camera:
        """The camera that a path names.

        Raises:
            UnknownCamera: There is none; an id that no camera can have is one of these.
            RegistryUnavailable: It is not known yet which there are.
        """
        camera_id = request.match_info["id"]
        camera = self._registry.by_id(camera_id)
        if camera is None and not self._registry.synced:
            raise RegistryUnavailable("the cameras have not been read yet")
        if camera is None:
            raise UnknownCamera(camera_id[:_SHOWN])
        return camera

    async def _patched(self, camera: Camera, patch: dict[str, Any]) -> Camera:
        body = manifest.parse(merge(said(camera), patch), CameraBody)
        if body.id != camera.id:
            raise InvalidManifest(Problem("id", body.id, "is immutable"))
        want = wanted(body, camera.name)
        demand_anew(camera.spec, want)
        return await self._registry.replace(camera.name, want.spec, want.secret or None)

    async def _answer(
        self, camera: Camera, status: int = HTTPStatus.OK, headers: dict[str, str] | None = None
    ) -> web.Response:
        live = await self._workers.live([camera])
        return json_response(view(camera, live.get(camera.id)), status, headers)


def _limit(request: web.Request) -> int:
    text = request.query.get("limit", str(PAGE))
    if not (text.isascii() and text.isdigit() and len(text) < 4 and 1 <= int(text) <= PAGE):  # noqa: PLR2004 - digits
        raise web.HTTPBadRequest(text=f"limit must be a number of 1 to {PAGE}")
    return int(text)
