"""The front door: one HTTP application over a registry of cameras and their workers."""

from collections.abc import Callable, Mapping
from http import HTTPStatus

from aiohttp import hdrs, web
from prometheus_client import CollectorRegistry

from ingest_core.exposition import exposing
from ingest_core.http import observed
from ingest_core.metrics import HTTP_SECONDS
from ingest_core.problems import RETRY_AFTER, Handler, problem, problems
from ingest_core.registry import CameraRegistry
from ingest_gateway.cameras import Cameras
from ingest_gateway.guard import guard
from ingest_gateway.routes import CALLS
from ingest_gateway.workers import Workers


class Handlers:
    """What answers each call."""

    def __init__(
        self,
        registry: CameraRegistry,
        workers: Workers,
        exposition: CollectorRegistry,
        ready: Callable[[], bool],
        unready: str,
    ) -> None:
        self._registry = registry
        self._ready = ready
        self._unready = unready
        self._workers = workers
        self._exposition = exposition
        self._cameras = Cameras(registry, workers)

    def by_name(self) -> Mapping[str, Handler]:
        """Each handler, by the name that `routes` has for it."""
        return {
            "index": self.index,
            "create_camera": self._cameras.create,
            "list_cameras": self._cameras.list,
            "read_camera": self._cameras.read,
            "patch_camera": self._cameras.patch,
            "delete_camera": self._cameras.delete,
            "latest_frame": self.latest_frame,
            "list_frames": self.list_frames,
            "read_frame": self.read_frame,
            "push": self.push,
            "metrics": exposing(self._exposition),
            "health": self.health,
            "readiness": self.readiness,
        }

    async def latest_frame(self, request: web.Request) -> web.StreamResponse:
        return await self._answer(request, "frame/latest")

    async def list_frames(self, request: web.Request) -> web.StreamResponse:
        return await self._answer(request, "frames")

    async def read_frame(self, request: web.Request) -> web.StreamResponse:
        sequence = request.match_info["sequence"]
        if not (sequence.isascii() and sequence.isdigit()):  # it goes into the worker's path
            raise web.HTTPNotFound(text="a frame is named by its sequence, a number")
        return await self._answer(request, f"frames/{sequence}")

    async def push(self, request: web.Request) -> web.StreamResponse:
        return await self._answer(request, "push")

    async def index(self, _request: web.Request) -> web.Response:
        width = max(len(call.path) for call in CALLS)
        lines = [f"{call.method:7}{call.path:{width}}  {call.summary}" for call in CALLS]
        return web.Response(text="\n".join(["Camera Ingest", "", *lines, ""]))

    async def health(self, _request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readiness(self, request: web.Request) -> web.Response:
        if self._registry.synced and self._ready():
            return web.Response(text="ok\n")
        return problem(
            HTTPStatus.SERVICE_UNAVAILABLE,
            self._unready if self._registry.synced else "the cameras have not been read yet",
            instance=request.path,
            headers={hdrs.RETRY_AFTER: str(RETRY_AFTER)},
        )

    async def _answer(self, request: web.Request, tail: str) -> web.StreamResponse:
        return await self._workers.answer(request, self._cameras.named(request), tail)


def make_app(
    registry: CameraRegistry,
    workers: Workers,
    exposition: CollectorRegistry,
    *,
    ready: Callable[[], bool],
    local: bool,
    unready: str = "the worker has not begun with its cameras yet",
) -> web.Application:
    """The application, ready for `ingest_core.http.serve`.

    Args:
        registry: Open; the application never closes it.
        workers: Who answers for the cameras.
        exposition: What `/metrics` shows; the time of every call is registered in it.
        ready: Have the workers begun with their cameras?
        local: Nobody but this machine can reach it (`Listen.local`).
        unready: What is the matter while they are not ready.
    """
    seconds = HTTP_SECONDS.histogram(exposition)
    app = web.Application(middlewares=[observed(seconds), problems, guard(local=local)])
    handlers = Handlers(registry, workers, exposition, ready, unready).by_name()
    for call in CALLS:
        handler = handlers[call.handler]
        if call.method == hdrs.METH_GET:
            app.router.add_get(call.path, handler)  # HEAD comes with it
        else:
            app.router.add_route(call.method, call.path, handler)
    return app
