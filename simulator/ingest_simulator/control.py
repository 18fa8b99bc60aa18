"""The simulator's HTTP control API: what `Simulator` does by call, for those in another process.

Errors are application/problem+json. Promises: no answer holds a password.
"""

from collections.abc import Awaitable, Callable

import msgspec
from aiohttp import web

from ingest_simulator.camera import Auth, Codec, SimulatedCamera, Transport
from ingest_simulator.faults import Fault
from ingest_simulator.session import SentFrame
from ingest_simulator.simulator import CameraExistsError, Simulator, UnknownCameraError

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_encode = msgspec.json.Encoder().encode


class CameraView(msgspec.Struct, frozen=True):
    """A camera as GET /cameras tells it. playing: living sessions that play."""

    name: str
    url: str
    scene: str
    codec: Codec
    width: int
    height: int
    fps: int
    auth: Auth
    transport: Transport
    fault: Fault | None
    frames_sent: int
    playing: int


class FramesView(msgspec.Struct, frozen=True):
    """sent: since the camera was added; frames: the last of them, the oldest first."""

    sent: int
    frames: tuple[SentFrame, ...]


class Problem(msgspec.Struct, frozen=True):
    """RFC 9457."""

    status: int
    title: str
    detail: str


def application(simulator: Simulator) -> web.Application:
    """The routes, for a simulator that is started and closed elsewhere."""
    control = _Control(simulator)
    app = web.Application(middlewares=[_problems])
    app.add_routes(
        [
            web.get("/cameras", control.list),
            web.post("/cameras", control.add),
            web.delete("/cameras/{name}", control.remove),
            web.put("/cameras/{name}/fault", control.fault),
            web.delete("/cameras/{name}/fault", control.heal),
            web.get("/cameras/{name}/sessions", control.sessions),
            web.delete("/cameras/{name}/sessions", control.disconnect),
            web.get("/cameras/{name}/frames", control.frames),
            web.put("/port", control.open_port),
            web.delete("/port", control.close_port),
        ]
    )
    return app


def view(simulator: Simulator, name: str) -> CameraView:
    """Raises UnknownCameraError."""
    camera = simulator.camera(name)
    return CameraView(
        name=name,
        url=simulator.url(name),
        scene=camera.scene,
        codec=camera.codec,
        width=camera.width,
        height=camera.height,
        fps=camera.fps,
        auth=camera.auth,
        transport=camera.transport,
        fault=simulator.current_fault(name),
        frames_sent=simulator.frames_sent(name),
        playing=simulator.playing(name),
    )


class _Control:
    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    async def list(self, _: web.Request) -> web.Response:
        return _json([view(self._simulator, name) for name in self._simulator.names()])

    async def add(self, request: web.Request) -> web.Response:
        camera = msgspec.json.decode(await request.read(), type=SimulatedCamera)
        await self._simulator.add(camera)
        return _json(view(self._simulator, camera.name), status=201)

    async def remove(self, request: web.Request) -> web.Response:
        self._simulator.remove(request.match_info["name"])
        return web.Response(status=204)

    async def fault(self, request: web.Request) -> web.Response:
        fault = msgspec.json.decode(await request.read(), type=Fault)
        self._simulator.fault(request.match_info["name"], fault)
        return web.Response(status=204)

    async def heal(self, request: web.Request) -> web.Response:
        self._simulator.heal(request.match_info["name"])
        return web.Response(status=204)

    async def sessions(self, request: web.Request) -> web.Response:
        return _json(self._simulator.sessions(request.match_info["name"]))

    async def disconnect(self, request: web.Request) -> web.Response:
        self._simulator.disconnect(request.match_info["name"])
        return web.Response(status=204)

    async def frames(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        frames = tuple(self._simulator.frames(name))
        return _json(FramesView(self._simulator.frames_sent(name), frames))

    async def open_port(self, _: web.Request) -> web.Response:
        self._simulator.open_port()
        return web.Response(status=204)

    async def close_port(self, _: web.Request) -> web.Response:
        self._simulator.close_port()
        return web.Response(status=204)


@web.middleware
async def _problems(request: web.Request, handler: _Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPException as error:
        return _problem(error.status, error.reason, error.reason)
    except UnknownCameraError:
        return _problem(404, "Not Found", "no camera of this name")
    except CameraExistsError:
        return _problem(409, "Conflict", "a camera of this name exists")
    except (msgspec.DecodeError, ValueError) as error:
        return _problem(422, "Unprocessable Content", str(error))


def _json(value: object, *, status: int = 200) -> web.Response:
    return web.Response(body=_encode(value), status=status, content_type="application/json")


def _problem(status: int, title: str, detail: str) -> web.Response:
    body = _encode(Problem(status, title, detail))
    return web.Response(body=body, status=status, content_type="application/problem+json")
