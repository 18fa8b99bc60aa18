"""The worker's HTTP side: the frame API for the gateway, how its cameras are, metrics and probes.

Reached by the cluster, never by a browser. A camera that this worker does not have is a 421, and
before a pushed frame's body is sent where its sender waits to be told to (`Expect: 100-continue`).
"""

from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from aiohttp import hdrs, web
from prometheus_client import CollectorRegistry

from ingest_core.errors import NotCaptured
from ingest_core.exposition import exposing
from ingest_core.http import json_response, observed
from ingest_core.metrics import HTTP_SECONDS
from ingest_core.model import Camera
from ingest_core.problems import RETRY_AFTER, Handler, instance_of, problem, problem_of, problems
from ingest_worker.worker import Worker

_CONTINUE: Final = "100-continue"


class Handlers:
    """What answers each call."""

    def __init__(self, worker: Worker, ready: Callable[[], bool]) -> None:
        self._worker = worker
        self._ready = ready

    def about(self, tail: str) -> Handler:
        """The handler of a call about one camera; `tail` is the rest of its path."""

        async def answer(request: web.Request) -> web.StreamResponse:
            rest = tail.format(**request.match_info)
            return await self._worker.api.answer(request, self._camera(request), rest)

        return answer

    async def expect(self, request: web.Request) -> web.StreamResponse | None:
        """Let a body come, unless its camera is not here."""
        if request.headers[hdrs.EXPECT].lower() != _CONTINUE:
            raise web.HTTPExpectationFailed(text="the only expectation is 100-continue")
        try:
            self._camera(request)
        except NotCaptured as error:
            refusal = problem_of(error, instance_of(request))
            assert refusal is not None, "it has a status of its own"
            refusal.force_close()  # on a connection whose body never came, nothing can follow
            return refusal
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # the answer itself has not begun
        return None

    async def live(self, _request: web.Request) -> web.Response:
        return json_response(self._worker.live_all(), headers={hdrs.CACHE_CONTROL: "no-store"})

    async def health(self, _request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readiness(self, request: web.Request) -> web.Response:
        """Has it begun with what is assigned to it? However its cameras are."""
        if self._ready():
            return web.Response(text="ok\n")
        return problem(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "the worker has not begun with its cameras yet",
            instance=request.path,
            headers={hdrs.RETRY_AFTER: str(RETRY_AFTER)},
        )

    def _camera(self, request: web.Request) -> Camera:
        camera_id = request.match_info["id"]
        camera = self._worker.camera(camera_id)
        if camera is None:
            raise NotCaptured(camera_id)
        return camera


def make_app(
    worker: Worker, exposition: CollectorRegistry, *, ready: Callable[[], bool]
) -> web.Application:
    """The application, ready for `ingest_core.http.serve`.

    Args:
        worker: Who answers; the application never stops it.
        exposition: What `/metrics` shows; the time of every call is registered in it.
        ready: Has it begun with what is assigned to it?
    """
    app = web.Application(middlewares=[observed(HTTP_SECONDS.histogram(exposition)), problems])
    handlers = Handlers(worker, ready)
    for tail in ("frame/latest", "frames", "frames/{sequence}"):
        app.router.add_get(f"/cameras/{{id}}/{tail}", handlers.about(tail))
    app.router.add_post(
        "/cameras/{id}/push", handlers.about("push"), expect_handler=handlers.expect
    )
    app.router.add_get("/live", handlers.live)
    app.router.add_get("/metrics", exposing(exposition))
    app.router.add_get("/healthz", handlers.health)
    app.router.add_get("/readyz", handlers.readiness)
    return app
