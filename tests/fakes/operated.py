"""A namespace of a real API server: operators as processes, and the test as everyone else.

Each operator has an account of its own that may do exactly what the code declares, so that the
audit log tells who did what; what it was refused fails the test.
"""

import asyncio
import contextlib
import itertools
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

import aiohttp
import msgspec

from ingest_core.kube.access import load
from ingest_core.kube.cameras import KubeCameras
from ingest_core.kube.client import Api
from ingest_core.kube.resources import CAMERAS, POOLS, Resource
from ingest_core.model import Camera, Condition
from ingest_operator.permissions import GRANTED, RULES
from tests.cluster.api_server import ApiServer
from tests.cluster.audit import Request
from tests.cluster.client import Refused
from tests.cluster.history import check
from tests.cluster.identity import Identity, service_account
from tests.cluster.kubelet import COMMAND
from tests.cluster.programs import BEGINS_ANEW, HOST, Household, Program, free_port
from tests.cluster.recorder import record
from tests.fakes.hollow_worker import HollowWorker, hollow_worker
from tests.fakes.real_api import following, until

FAST: Final = ("--lease-duration-seconds", "3", "--lease-renew-seconds", "1")
LAG_SECONDS: Final = 1.0  # for which an edit of a test's may be unknown to the operator
_AT_ONCE: Final = 16
_TURN_SECONDS: Final = 0.02


@dataclass
class OperatorProgram:
    """`camera-ingest operator`, which a test may kill, freeze and wake."""

    identity: Identity
    url: str
    program: Program
    http: aiohttp.ClientSession
    since: int

    async def get(self, path: str) -> tuple[int, str]:
        """Status and body; 0: there is no answer."""
        try:
            async with self.http.get(f"{self.url}{path}") as answer:
                return answer.status, await answer.text()
        except aiohttp.ClientError:
            return 0, ""

    async def sample(self, series: str) -> float:
        """A value of /metrics; 0 where there is none."""
        _, body = await self.get("/metrics")
        lines = (line.rpartition(" ") for line in body.splitlines())
        return next((float(value) for name, _, value in lines if name == series), 0.0)

    async def leads(self) -> bool:
        return await self.sample("camera_ingest_operator_leader") == 1

    def requests(self, since: int | None = None) -> Iterable[Request]:
        """What it asked of the API server."""
        audit = self.identity.server.audit
        every = audit.requests(self.since if since is None else since)
        return (one for one in every if one.user == self.identity.user)

    async def shows(self, series: str, value: float) -> bool:
        return await self.sample(series) == value

    async def knows(self, workers: int) -> bool:
        """Does it know of so many workers of the default pool that take cameras?"""
        return await self.shows('camera_ingest_workers{pool="default",state="open"}', workers)

    async def ended(self, seconds: float = 60) -> int:
        """Its exit status, once it has ended."""
        status = await asyncio.to_thread(self.program.ended, seconds)
        assert status is not None, self.program.said
        return status

    async def began_anew(self) -> bool:
        """Did it end, and is it there again in the same process, and ready?"""
        return self.program.times(BEGINS_ANEW) == 1 and (await self.get("/readyz"))[0] == 200

    def terminate(self) -> None:
        self.program._process_of().send_signal(signal.SIGTERM)


@dataclass
class Operated:
    """A namespace, and who is in it.

    Attributes:
        cameras: Every Camera as it is, by a watch of the test's own.
        workers: All that ever were.
    """

    server: ApiServer
    namespace: str
    api: Api
    cameras: KubeCameras
    household: Household
    http: aiohttp.ClientSession
    stack: AsyncExitStack
    operators: list[OperatorProgram] = field(default_factory=list)
    workers: list[HollowWorker] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    async def operator(self, *options: str, ready: bool = True, url: str = "") -> OperatorProgram:
        """Start one more; returns when it is ready.

        Args:
            options: Of the program.
            ready: Wait until it is.
            url: Where it reaches the API server, if not directly.
        """
        number = next(self._numbers)
        port = free_port()
        since = self.server.audit.position()
        rules = [msgspec.to_builtins(rule) for rule in (*RULES, *GRANTED)]
        made = await asyncio.to_thread(
            service_account, self.server, self.namespace, f"operator-{number}", rules
        )
        kubeconfig = self.household.directory / f"{made.name}.kubeconfig"
        made.kubeconfig(kubeconfig, url=url)
        where = ("--kubeconfig", str(kubeconfig), "--namespace", self.namespace)
        what = ("--listen", f"{HOST}:{port}", "--identity", made.name, *FAST, *options)
        program = Program(self.household, made.name, (COMMAND, "operator", *where, *what))
        program.start()
        address = f"http://{HOST}:{port}"
        operator = OperatorProgram(made, address, program, self.http, since)
        self.operators.append(operator)
        if ready:
            await self.eventually(lambda: _is_ready(operator), "the operator is ready")
        return operator

    async def two_operators(self, url: str = "") -> tuple[OperatorProgram, OperatorProgram]:
        """Start two at once; first the one that leads."""
        one, other = await asyncio.gather(self.operator(url=url), self.operator(url=url))

        async def decided() -> bool:
            return await one.leads() or await other.leads()

        await self.eventually(decided, "one of them leads")
        return (one, other) if await one.leads() else (other, one)

    async def worker(self, name: str, **lease: Any) -> HollowWorker:
        """One more, which lives until the namespace ends."""
        made = await self.stack.enter_async_context(hollow_worker(self.api, name, **lease))
        self.workers.append(made)
        return made

    async def pool(self, name: str = "default", **spec: Any) -> None:
        """Apply a CameraPool; its loads are not evened out unless it says so."""
        lease = {"durationSeconds": 3, "renewSeconds": 1}
        spec = {"lease": lease, "rebalance": {"maxMovesPerMinute": 0}, **spec}
        await self.apply(POOLS, name, spec)

    async def camera(self, name: str, **spec: Any) -> None:
        """Apply a Camera."""
        source = {"rtsp": {"url": "rtsp://camera.example/stream", **spec.pop("rtsp", {})}}
        await self.apply(CAMERAS, name, {"source": source, **spec})

    async def many(self, number: int, **spec: Any) -> None:
        """Apply so many Cameras: cam-0000 and so on."""
        slots = asyncio.Semaphore(_AT_ONCE)

        async def make(name: str) -> None:
            async with slots:
                await self.camera(name, **spec)

        await asyncio.gather(*(make(f"cam-{one:04}") for one in range(number)))

    async def apply(self, resource: Resource, name: str, spec: Any) -> None:
        """As `kubectl apply` does."""
        body = {
            "apiVersion": resource.api_version,
            "kind": resource.kind,
            "metadata": {"name": name},
            "spec": spec,
        }
        await self.api.apply(resource, name, body, manager="test")

    async def find(self, resource: Resource, name: str) -> Any:
        """An object; None: it is not there."""
        with contextlib.suppress(Refused):
            path = resource.path(self.namespace, name)
            return await asyncio.to_thread(self.server.admin.get, path)
        return None

    async def until(self, holds: Callable[[], bool], what: str, seconds: float = 20) -> None:
        """Wait, by the watch of Cameras, until something holds."""
        try:
            await until(self.cameras, holds, seconds)
        except TimeoutError:
            told = {name: one.status for name, one in self.cameras.cameras.items()}
            raise AssertionError(f"not within {seconds} s: {what}\n{told}\n{self.said()}") from None

    async def eventually(self, holds: Callable[[], Any], what: str, seconds: float = 20) -> Any:
        """Wait until something holds that no watch of ours tells of: what it gave."""
        deadline = time.monotonic() + seconds
        while not (found := await holds()):
            assert time.monotonic() < deadline, f"not within {seconds} s: {what}\n{self.said()}"
            await asyncio.sleep(_TURN_SECONDS)
        return found

    def worker_of(self, name: str = "lobby") -> str | None:
        camera = self.cameras.cameras.get(name)
        assignment = None if camera is None else camera.status.assignment
        return None if assignment is None else assignment.worker

    def previous_of(self, name: str = "lobby") -> str | None:
        assignment = self.cameras.cameras[name].status.assignment
        return None if assignment is None else assignment.previous

    def condition(self, name: str = "lobby", type_: str = "Assigned") -> Condition | None:
        camera: Camera | None = self.cameras.cameras.get(name)
        every = () if camera is None else camera.status.conditions
        return next((one for one in every if one.type == type_), None)

    async def assigned(self, name: str, *workers: str, seconds: float = 20) -> None:
        """Wait until one of these workers has the camera and no handover is under way."""

        def holds() -> bool:
            return self.worker_of(name) in workers and self.previous_of(name) is None

        await self.until(holds, f"{name} is with {' or '.join(workers)}", seconds)

    async def refused(self, name: str, reason: str) -> None:
        """Wait until a Camera says why nobody has it."""

        def holds() -> bool:
            condition = self.condition(name)
            return condition is not None and (condition.status, condition.reason) == (
                "False",
                reason,
            )

        await self.until(holds, f"{name} says {reason}")

    async def events(self) -> dict[str, Any]:
        """Of this namespace, by reason."""
        path = f"/api/v1/namespaces/{self.namespace}/events"
        listed = await asyncio.to_thread(self.server.admin.get, path)
        return {one["reason"]: one for one in listed["items"]}

    def said(self) -> str:
        """The end of what every operator said, for a failure's message."""
        return "\n".join(
            f"--- {one.identity.name}\n{one.program.said[-3000:]}" for one in self.operators
        )


async def _is_ready(operator: OperatorProgram) -> bool:
    assert operator.program.alive, operator.program.said
    return (await operator.get("/readyz"))[0] == HTTPStatus.OK


@asynccontextmanager
async def operated(server: ApiServer, namespace: str) -> AsyncIterator[Operated]:
    """An empty namespace; its operators and workers end with the block.

    When it ends well, the history of every Camera must have kept the rules: no camera left a worker
    that was neither lost nor asked to be relieved. And RBAC must have refused no operator anything,
    unless the API server was another process in the end: one that starts refuses everybody until it
    has read its Roles.
    """
    kubeconfig, process = str(server.kubeconfig), server.process.pid
    with Household() as household:
        async with record(server.etcd, namespace) as recorder, AsyncExitStack() as stack:
            api = await stack.enter_async_context(Api(await load(kubeconfig, {}), namespace))
            http = await stack.enter_async_context(aiohttp.ClientSession())
            cameras = KubeCameras(api)
            await stack.enter_async_context(following(cameras))
            made = Operated(server, namespace, api, cameras, household, http, stack)
            yield made
            disturbed = {one.name for one in made.workers if one.disturbed}
            found = check(
                await recorder.history(),
                justified=lambda move: move.source in disturbed,
                lag=LAG_SECONDS,
            )
            assert not found, "\n".join(map(str, found))
        await asyncio.sleep(_TURN_SECONDS)  # TLS connections end some turns after they are closed
        if server.process.pid == process:
            for operator in made.operators:
                denied = [one for one in operator.requests() if not one.allowed]
                assert not denied, denied
