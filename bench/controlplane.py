"""10,000 Cameras and 100 hollow workers on one real API server, on the same two cores.

A hollow worker is a real worker's control side without capture (bench/hollow.py). The floor is a
bare HTTP client that applies a status to each Camera, 32 at once, in the same run, when all else is
quiet. Placed: from the start of the operator, with every Camera, Lease and worker there, until the
last Camera has its worker; the workers report every Camera connected meanwhile. Applied → assigned:
200 Cameras, one after another. Lost: five workers' Leases freeze, one after another; the time
counts from when the Lease ran out, for each of its Cameras. Quiet: the audit log over 30 s.
"""

import asyncio
import contextlib
import ssl
import statistics
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Final

import aiohttp
import msgspec
import psutil

from bench.hollow import LEASE_SECONDS, RENEW_SECONDS, Began, Order
from bench.line import TIMES, Budget, Line
from bench.processes import BenchError, Child, python, running
from ingest_core import names
from tests.cluster import binaries
from tests.cluster.api_server import ADMIN_TOKEN, ApiServer
from tests.cluster.crds import install_crds
from tests.cluster.namespaces import temporary_namespace
from tests.cluster.plugin import CRDS
from tests.cluster.programs import HOST, free_port

CAMERAS: Final = 10_000
WORKERS: Final = 100
AT_ONCE: Final = 32
SAMPLES: Final = 200
LOST: Final = 5
QUIET_SECONDS: Final = 30.0
_COMMAND: Final = str(Path(python("x")[0]).parent / "camera-ingest")
_MOVES: Final = "camera_ingest_camera_moves_total"
_PATIENCE: Final = 600.0
_TOLERANCE: Final = 1.1  # of a rate that is drawn anew each time, ± 10 %


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
            return asyncio.run(_measure(server, namespace))
    finally:
        server.stop()


async def _measure(server: ApiServer, namespace: str) -> list[Line]:
    async with _bare(server, namespace) as bare:
        await bare.every(bare.create, range(CAMERAS))
        await bare.pool()
        where = ("--kubeconfig", str(server.kubeconfig), "--namespace", namespace)
        hollow = python("bench.hollow", *where, "--workers", str(WORKERS))
        with running(hollow) as workers:
            await asyncio.to_thread(workers.hear, Began)
            lines = []
            with _operator(where) as (operator, url):
                began = time.perf_counter()
                await _placed(url)
                placed = time.perf_counter() - began
                await bare.settled()
                with _gateway(where) as gateway:
                    lines += await _memory(operator, gateway)
                lines += await _quiet(server, namespace)
                lines += await _applied(bare)
                lines += await _lost(bare, workers)
        began = time.perf_counter()
        await bare.every(bare.status, range(CAMERAS))
        floor = time.perf_counter() - began
    detail = f"{placed:.1f} s against {floor:.1f} s ({CAMERAS / floor:.0f} applies a second)"
    what = f"{CAMERAS:,} Cameras placed from cold, against a bare client"
    return [Line(what, placed / floor, TIMES, Budget(2.5), detail), *lines]


class _Bare:
    """A client that knows nothing but HTTP."""

    def __init__(self, http: aiohttp.ClientSession, namespace: str) -> None:
        self._http = http
        self._cameras = f"/apis/camera-ingest.io/v1alpha1/namespaces/{namespace}/cameras"
        self._pools = f"/apis/camera-ingest.io/v1alpha1/namespaces/{namespace}/camerapools"
        self._leases = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"

    async def every(self, ask: Any, numbers: range) -> None:
        """So many at once."""
        left = iter(numbers)

        async def some() -> None:
            for number in left:
                await ask(number)

        await asyncio.gather(*(some() for _ in range(AT_ONCE)))

    async def create(self, number: int, name: str = "cam") -> None:
        body = {
            "apiVersion": "camera-ingest.io/v1alpha1",
            "kind": "Camera",
            "metadata": {"name": f"{name}-{number:05}"},
            "spec": {"weight": 9, "source": {"rtsp": {"url": f"rtsp://10.0.0.7/{number}"}}},
        }
        async with self._http.post(self._cameras, json=body) as answer:
            assert answer.ok, await answer.text()

    async def pool(self) -> None:
        body = {
            "apiVersion": "camera-ingest.io/v1alpha1",
            "kind": "CameraPool",
            "metadata": {"name": "default"},
            "spec": {"replicas": WORKERS, "worker": {"maxCameras": 120, "weightCapacity": 1080}},
        }
        async with self._http.post(self._pools, json=body) as answer:
            assert answer.ok, await answer.text()

    async def status(self, number: int) -> None:
        name = f"cam-{number:05}"
        body = {
            "apiVersion": "camera-ingest.io/v1alpha1",
            "kind": "Camera",
            "metadata": {"name": name},
            "status": {"observedGeneration": 1},
        }
        url = f"{self._cameras}/{name}/status?fieldManager=bare&force=true"
        headers = {"Content-Type": "application/apply-patch+yaml"}
        data = msgspec.json.encode(body)
        async with self._http.patch(url, data=data, headers=headers) as answer:
            await answer.read()
            assert answer.ok, answer.status

    async def assigned(self, worker: str) -> int:
        """How many Cameras a worker has."""
        field = f"fieldSelector={names.SELECT_WORKER}%3D{worker}"
        async with self._http.get(f"{self._cameras}?{field}") as answer:
            return len((await answer.json())["items"])

    async def settled(self) -> None:
        """Wait until every Camera is reported connected."""
        deadline = time.monotonic() + _PATIENCE
        async with self._http.get(f"{self._cameras}?limit=1") as answer:
            version = (await answer.json())["metadata"]["resourceVersion"]
        while time.monotonic() < deadline:
            await asyncio.sleep(5)
            async with self._http.get(f"{self._cameras}?limit=1") as answer:
                now = (await answer.json())["metadata"]["resourceVersion"]
            if int(now) - int(version) < 5 * 2 * WORKERS / RENEW_SECONDS:
                return  # little else than Leases was written
            version = now
        raise BenchError("the cluster does not come to rest")

    @contextlib.asynccontextmanager
    async def watch(self, leases: bool = False) -> AsyncIterator[AsyncIterator[Any]]:  # noqa: FBT001, FBT002
        """Each Camera (or Lease) as it changes, from now on."""
        path = self._leases if leases else self._cameras
        async with self._http.get(f"{path}?limit=1") as answer:
            at = (await answer.json())["metadata"]["resourceVersion"]
        async with self._http.get(f"{path}?watch=true&resourceVersion={at}") as answer:

            async def objects() -> AsyncIterator[Any]:
                async for line in answer.content:
                    yield msgspec.json.decode(line)["object"]

            yield objects()


@contextlib.asynccontextmanager
async def _bare(server: ApiServer, namespace: str) -> AsyncIterator[_Bare]:
    context = ssl.create_default_context(cafile=str(server.ca_file))
    headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
    connector = aiohttp.TCPConnector(ssl=context, limit=0)
    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(
        server.url, headers=headers, connector=connector, timeout=timeout, read_bufsize=1 << 21
    ) as http:
        yield _Bare(http, namespace)


@contextlib.contextmanager
def _operator(where: tuple[str, ...]) -> Iterator[tuple[Child, str]]:
    port = free_port()
    listen = ("--listen", f"{HOST}:{port}", "--log-level", "error")
    with running([_COMMAND, "operator", *where, *listen]) as process:
        yield process, f"http://{HOST}:{port}"


@contextlib.contextmanager
def _gateway(where: tuple[str, ...]) -> Iterator[Child]:
    listen = ("--listen", f"{HOST}:{free_port()}", "--log-level", "error")
    with running([_COMMAND, "gateway", *where, *listen]) as process:
        yield process


async def _placed(url: str) -> None:
    """Wait until the operator says that it gave every Camera a worker."""
    deadline = time.monotonic() + _PATIENCE
    async with aiohttp.ClientSession() as http:
        while time.monotonic() < deadline:
            await asyncio.sleep(0.25)
            with contextlib.suppress(aiohttp.ClientError):
                async with http.get(f"{url}/metrics") as answer:
                    told = await answer.text()
                rows = [row for row in told.splitlines() if row.startswith(f"{_MOVES}{{")]
                if sum(float(row.rpartition(" ")[2]) for row in rows) >= CAMERAS:
                    return
    raise BenchError("not every Camera was placed")


async def _memory(operator: Child, gateway: Child) -> list[Line]:
    await asyncio.sleep(15)  # in which the gateway reads them all
    what = f"memory with {CAMERAS:,} Cameras"
    megabytes = operator.memory / 1e6
    most = psutil.Process(operator.pid).memory_info().rss / 1e6
    detail = f"proportional; resident {most:.0f} MB"
    return [
        Line(f"operator, {what}", megabytes, "MB", Budget(300), detail),
        Line(f"gateway, {what}", gateway.memory / 1e6, "MB", None, "every Camera whole"),
    ]


async def _quiet(server: ApiServer, namespace: str) -> list[Line]:
    await asyncio.sleep(5)
    since = server.audit.position()
    await asyncio.sleep(QUIET_SECONDS)
    counts: Counter[str] = Counter()
    for one in server.audit.requests(since):
        if one.namespace == namespace:
            counts[f"{one.verb} {one.resource}"] += 1
    leases = counts.pop("update leases", 0)
    others = ", ".join(f"{count} {what}" for what, count in sorted(counts.items())) or "nothing"
    allowed = (WORKERS + 1) / RENEW_SECONDS
    rate = leases / QUIET_SECONDS
    return [
        Line(
            "API calls a second when nothing changes: Leases",
            rate,
            "/s",
            Budget(_TOLERANCE * allowed),
            f"{WORKERS} workers every {RENEW_SECONDS} s are {allowed:.1f}, and one leader",
        ),
        Line(
            "API calls when nothing changes: all others, in 30 s",
            sum(counts.values()),
            "",
            Budget(0),
            others,
        ),
    ]


async def _applied(bare: _Bare) -> list[Line]:
    """One Camera after another: from its creation to its assignment, as a watch sees it."""
    times = []
    async with bare.watch() as objects:
        for number in range(SAMPLES):
            name = f"new-{number:05}"
            began = time.perf_counter()
            await bare.create(number, "new")
            async for one in objects:
                if one["metadata"]["name"] == name and "assignment" in one.get("status", {}):
                    times.append(time.perf_counter() - began)
                    break
            await asyncio.sleep(0.05)
    ordered = sorted(1e3 * one for one in times)
    p99 = ordered[int(0.99 * len(ordered))]
    detail = f"p50 {statistics.median(ordered):.0f} ms, worst {ordered[-1]:.0f} ms"
    what = f"one Camera applied → assigned, p99, with {CAMERAS:,} there"
    return [Line(what, p99, "ms", Budget(500), detail)]


async def _lost(bare: _Bare, workers: Child) -> list[Line]:
    """Freeze Leases, one after another; when each of their Cameras is somebody else's."""
    times: list[float] = []
    moved = 0
    for number in range(LOST):
        name = f"default-{number}"
        renewed = await _freeze(bare, workers, name)
        expired = renewed + LEASE_SECONDS
        async with bare.watch() as objects:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LEASE_SECONDS + 5):
                    async for one in objects:
                        previous = one.get("status", {}).get("stream", {}).get("worker")
                        assignment = one.get("status", {}).get("assignment", {})
                        if previous == name and assignment.get("worker") not in (name, None):
                            times.append(time.perf_counter() - expired)
                            moved += 1
        if left := await bare.assigned(name):
            raise BenchError(f"{left} Cameras are with the lost {name} still")
    if not times:
        raise BenchError("no Camera moved")
    ordered = sorted(1e3 * one for one in times)
    p99 = ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]
    detail = f"p50 {statistics.median(ordered):.0f} ms; {moved} Cameras of {LOST} workers"
    return [Line("worker lost: its Lease's end → Camera moved, p99", p99, "ms", None, detail)]


async def _freeze(bare: _Bare, workers: Child, name: str) -> float:
    """Stop renewing right after a renewal was seen; when that was."""
    async with bare.watch(leases=True) as objects:
        async for one in objects:
            if one["metadata"]["name"] == name:
                renewed = time.perf_counter()
                workers.say(Order(name))
                await asyncio.to_thread(workers.hear, Began)
                return renewed
    raise BenchError("the watch ended")
