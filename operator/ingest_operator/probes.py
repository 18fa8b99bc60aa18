"""The operator's HTTP side: /metrics, /healthz and /readyz."""

from http import HTTPStatus

from aiohttp import web
from prometheus_client import CollectorRegistry

from ingest_core.exposition import exposing
from ingest_core.problems import problem, problems
from ingest_operator.watchdog import Watchdog


class Probes:
    """Alive while the event loop answers; ready while everything can be read, leading or not."""

    def __init__(self, watchdog: Watchdog) -> None:
        self._watchdog = watchdog

    async def health(self, _request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readiness(self, request: web.Request) -> web.Response:
        begun, obstacle = self._watchdog.begun.is_set(), self._watchdog.obstacle
        if begun and obstacle is None:
            return web.Response(text="ok\n")
        why = "the cluster cannot be read" if begun else "the cluster has not been read yet"
        detail = why if obstacle is None else f"{why}: {obstacle}"
        return problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, instance=request.path)


def make_app(probes: Probes, exposition: CollectorRegistry) -> web.Application:
    """The application, ready for `ingest_core.http.serve`."""
    app = web.Application(middlewares=[problems])
    app.router.add_get("/healthz", probes.health)
    app.router.add_get("/readyz", probes.readiness)
    app.router.add_get("/metrics", exposing(exposition))
    return app
