"""The workers behind a network: ask the right one for a camera, and pass on what it says.

A worker that refuses, hangs or dies costs one answer that says when to come again, never a request
that hangs. Of a body that was read nothing is sent twice: its sender sends it again.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from aiohttp import web

from ingest_core.errors import (
    FrameUnavailable,
    IngestError,
    NotCaptured,
    UnknownCamera,
    WorkerFailed,
)
from ingest_core.live import Live
from ingest_core.model import Assignment, Camera
from ingest_core.registry import CameraReader
from ingest_gateway import hop, routing
from ingest_gateway.lives import Lives
from ingest_gateway.relay import relay
from ingest_gateway.upload import Upload
from ingest_gateway.worker_client import MOVED, Question, WorkerClient

MOVED_SECONDS: Final = 0.5  # for which a moved camera is waited for, before the server is asked
LOOK_UP_SECONDS: Final = 1.0  # between questions for one camera, and for each at most
_PUSH: Final = "push"
_UNAVAILABLE: Final = 503

LookUp = Callable[[str], Awaitable[None]]


class Proxy:
    """The `Workers` of a gateway on Kubernetes.

    Args:
        registry: Says which worker has a camera.
        look_up: Asks the API server for a camera, where the watch may be behind.
        client: Asks workers.
        now: Monotonic seconds.
    """

    def __init__(
        self,
        registry: CameraReader,
        look_up: LookUp,
        client: WorkerClient,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._registry = registry
        self._look_up = look_up
        self._client = client
        self._lives = Lives(client, now)
        self._now = now
        self._looked_up: dict[str, float] = {}  # by name, of the last second

    async def answer(self, request: web.Request, camera: Camera, tail: str) -> web.StreamResponse:
        """See `Workers.answer`; asked again once when the workers have the camera no more.

        Raises:
            FrameUnavailable: No worker has the camera.
            WorkerFailed: The worker cannot answer.
            UnknownCamera: The camera went away meanwhile.
        """
        upload = Upload(request) if tail == _PUSH and request.body_exists else None
        try:
            return await self._ask(request, camera, tail, upload)
        except NotCaptured:
            camera = await self._moved(camera)
        try:
            return await self._ask(request, camera, tail, upload)
        except NotCaptured:
            raise FrameUnavailable("the worker has not begun with this camera yet", 1) from None

    async def live(self, cameras: Sequence[Camera]) -> Mapping[str, Live]:
        """What their workers see now, by id."""
        asked = {camera.id: routing.for_frames(camera) for camera in cameras}
        workers = sorted({worker for each in asked.values() for worker in each})
        told = dict(zip(workers, await asyncio.gather(*map(self._lives.of, workers)), strict=True))
        found = {
            camera_id: next((told[one][camera_id] for one in each if camera_id in told[one]), None)
            for camera_id, each in asked.items()
        }
        return {camera_id: live for camera_id, live in found.items() if live is not None}

    async def _ask(
        self, request: web.Request, camera: Camera, tail: str, upload: Upload | None
    ) -> web.StreamResponse:
        """Ask one worker after the other; the last one's refusal counts, if none answers.

        Raises:
            NotCaptured: One of them would have answered, but has the camera no more, or not yet.
        """
        workers = routing.for_push(camera) if tail == _PUSH else routing.for_frames(camera)
        question = _question(request, f"/cameras/{camera.id}/{tail}", upload)
        failure: IngestError = routing.nobody(camera)
        for worker in workers:
            try:
                async with self._client.ask(worker, question) as answer:
                    sent = upload is not None and upload.begun
                    if answer.status == MOVED and sent:
                        raise FrameUnavailable("the camera moved while the frame came in", 1)
                    if answer.status == MOVED:
                        failure = NotCaptured(camera.id)
                    elif answer.status != _UNAVAILABLE or sent or worker == workers[-1]:
                        return await relay(request, answer)
            except WorkerFailed as error:
                if request.writer.output_size > 0 or (upload is not None and upload.begun):
                    raise
                failure = failure if isinstance(failure, NotCaptured) else error
        raise failure

    async def _moved(self, camera: Camera) -> Camera:
        """The camera, once it is known to be elsewhere, or after a moment for its worker."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(MOVED_SECONDS), self._registry.changes() as changes:
                async for _ in changes:
                    if self._assigned(camera.name) != camera.status.assignment:
                        break
        if self._assigned(camera.name) == camera.status.assignment and self._due(camera.name):
            with contextlib.suppress(TimeoutError, IngestError):
                async with asyncio.timeout(LOOK_UP_SECONDS):
                    await self._look_up(camera.name)
        now = self._registry.cameras.get(camera.name)
        if now is None:
            raise UnknownCamera(camera.id)
        return now

    def _assigned(self, name: str) -> Assignment | None:
        camera = self._registry.cameras.get(name)
        return None if camera is None else camera.status.assignment

    def _due(self, name: str) -> bool:
        """May the API server be asked for it? Many who wait for one camera cost one question."""
        now = self._now()
        recent = {one: at for one, at in self._looked_up.items() if now - at < LOOK_UP_SECONDS}
        self._looked_up = {**recent, name: recent.get(name, now)}
        return name not in recent


def _question(request: web.Request, path: str, upload: Upload | None) -> Question:
    query = request.rel_url.raw_query_string
    headers = hop.of_request(request.headers, None if upload is None else upload.length)
    return Question(request.method, f"{path}?{query}" if query else path, headers, upload)
