"""From `kubectl apply` of a Camera to its first frame through the gateway, everything running.

An operator, a gateway and two workers as processes around a real API server, a simulated camera of
640x360@5 whose every second frame is a keyframe. 40 Cameras, one after another, each looked at
every 5 ms. A worker knows the end of a frame when the next one begins, so up to two intervals,
400 ms, of what follows the assignment are the camera's own time. A report is put together with
others for up to 0.3 s.
"""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from bench.line import Line
from bench.processes import BenchError
from ingest_simulator.camera import SimulatedCamera
from tests.cluster import binaries
from tests.cluster.api_server import ApiServer
from tests.cluster.crds import install_crds
from tests.cluster.namespaces import temporary_namespace
from tests.cluster.plugin import CRDS
from tests.cluster.world import World, captured, world

SAMPLES: Final = 40
_ASK_SECONDS: Final = 0.005
_PATIENCE: Final = 30.0


@dataclass(frozen=True, slots=True)
class Times:
    """Milliseconds since a Camera was applied."""

    assigned: float
    frame: float
    connected: float


def measure() -> list[Line]:
    try:
        found = binaries.available()
    except binaries.Unavailable as error:
        raise BenchError(str(error)) from None
    server = ApiServer(found)
    try:
        server.start()
        install_crds(server.admin, CRDS)
        with temporary_namespace(server.admin) as namespace:
            times = asyncio.run(_measure(server, namespace))
    finally:
        server.stop()
    return [
        _line("frame through the gateway", [one.frame for one in times]),
        _line("assigned", [one.assigned for one in times]),
        _line("assigned → frame (connect, decode, serve)", [t.frame - t.assigned for t in times]),
        _line("reported connected", [one.connected for one in times]),
    ]


def _line(what: str, milliseconds: list[float]) -> Line:
    ordered = sorted(milliseconds)
    p99 = ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]
    detail = f"p50 {statistics.median(ordered):.0f} ms"
    return Line(f"applied → {what}, p99", p99, "ms", None, detail)


async def _measure(server: ApiServer, namespace: str) -> list[Times]:
    async with world(server, namespace) as cluster:
        await cluster.apply("CameraPool", "default", {"replicas": 2})
        urls = {}
        for number in range(SAMPLES + 1):
            camera = SimulatedCamera(name=f"cam-{number}", width=640, height=360, fps=5, gop=2)
            urls[camera.name] = await cluster.simulator.add(camera)
        first, *others = [await _one(cluster, name, url) for name, url in urls.items()]
        del first  # which started everything that starts late
        return others


async def _one(cluster: World, name: str, url: str) -> Times:
    began = time.perf_counter()
    await cluster.apply("Camera", name, {"source": {"rtsp": {"url": url}}, "weight": 10})
    async with asyncio.timeout(_PATIENCE), asyncio.TaskGroup() as tasks:
        frame = tasks.create_task(_frame(cluster, name))
        assigned = connected = 0.0
        async for now in _seen(cluster, name):
            if not assigned and "assignment" in now.get("status", {}):
                assigned = time.perf_counter()
            if captured(now):
                connected = time.perf_counter()
                break
    moments = (assigned, await frame, connected)
    return Times(*(1e3 * (moment - began) for moment in moments))


async def _seen(cluster: World, name: str) -> AsyncIterator[dict[str, dict[str, str]]]:
    while True:
        yield await cluster.get("cameras", name)
        await asyncio.sleep(_ASK_SECONDS)


async def _frame(cluster: World, name: str) -> float:
    while True:
        status, _, _ = await cluster.frame(name)
        if status == 200:
            return time.perf_counter()
        await asyncio.sleep(_ASK_SECONDS)
