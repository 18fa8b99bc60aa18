"""The operator's HTTP side: /metrics, /healthz and /readyz."""

from http import HTTPStatus

from aiohttp import web
from prometheus_client import CollectorRegistry

from ingest_core.exposition import exposing
from ingest_core.problems import problem, problems
from ingest_operator.watchdog import Watchdog


class Probes:
    """Alive while the event loop answers; ready once everything was read, leading or not."""

    def __init__(self, watchdog: Watchdog) -> None:
        self._watchdog = watchdog

    async def health(self, _request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readiness(self, request: web.Request) -> web.Response:
        if self._watchdog.begun.is_set():
            return web.Response(text="ok\n")
        return problem(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "the cluster has not been read yet",
            instance=request.path,
        )


def make_app(probes: Probes, exposition: CollectorRegistry) -> web.Application:
    """The application, ready for `ingest_core.http.serve`."""
    app = web.Application(middlewares=[problems])
    app.router.add_get("/healthz", probes.health)
    app.router.add_get("/readyz", probes.readiness)
    app.router.add_get("/metrics", exposing(exposition))
    return app
