"""Workers as processes on a real API server, and a test in the place of the operator."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from ingest_core import lenient, names
from ingest_core.kube.leases import Lease
from ingest_core.kube.rules import Rule
from ingest_core.live import Live
from ingest_core.model import Camera, Stream
from ingest_operator.permissions import WORKER_RULES
from ingest_worker.api import FrameList
from tests.cluster.api_server import ApiServer
from tests.cluster.client import Refused
from tests.cluster.identity import service_account
from tests.cluster.kubelet import COMMAND
from tests.cluster.programs import HOST, Household, Program, free_port

TURN_SECONDS = 0.02
LEASE = ("--lease-duration-seconds", "3", "--lease-renew-seconds", "1")
SECRETS = Rule(api_groups=("",), resources=("secrets",), verbs=("get",))


@dataclass
class WorkerProgram:
    """`camera-ingest worker`, which a test may kill, freeze and start again."""

    name: str
    url: str
    program: Program
    http: aiohttp.ClientSession

    async def frames(self, camera: str) -> list[float]:
        """Capture times of what its ring holds; none if it does not have the camera."""
        async with self.http.get(f"{self.url}/cameras/{camera}/frames") as answer:
            if answer.status == 421:
                return []
            held = msgspec.json.decode(await answer.read(), type=FrameList)
            return [item.timestamp for item in held.items]

    async def live(self) -> dict[str, Live]:
        async with self.http.get(f"{self.url}/live") as answer:
            every = msgspec.json.decode(await answer.read(), type=list[Live])
            return {one.camera_id: one for one in every}

    async def status(self, path: str) -> int:
        """Status of an answer; 0: there is none."""
        try:
            async with self.http.get(f"{self.url}{path}") as answer:
                return answer.status
        except aiohttp.ClientError:
            return 0

    async def metrics(self) -> str:
        async with self.http.get(f"{self.url}/metrics") as answer:
            return await answer.text()

    def terminate(self) -> None:
        self.program._process_of().send_signal(signal.SIGTERM)

    async def ended(self) -> int:
        """Its exit status, once it has ended."""
        return await asyncio.to_thread(self.program._process_of().wait, 20)


@dataclass
class Fleet:
    """A namespace, its Cameras, and the workers that were started in it."""

    server: ApiServer
    namespace: str
    household: Household
    kubeconfig: Path
    http: aiohttp.ClientSession
    workers: list[WorkerProgram] = field(default_factory=list)

    def worker(self, name: str, *options: str) -> WorkerProgram:
        """Start one."""
        port = free_port()
        where = ("--kubeconfig", str(self.kubeconfig), "--namespace", self.namespace)
        what = ("--worker", name, "--listen", f"{HOST}:{port}", *LEASE)
        command = (COMMAND, "worker", *where, *what, *options)
        program = Program(self.household, f"{self.namespace}-{name}-{port}", command)
        made = WorkerProgram(name, f"http://{HOST}:{port}", program, self.http)
        made.program.start()
        self.workers.append(made)
        return made

    def create(self, name: str, **source: Any) -> None:
        """A Camera; `source` is its spec.source."""
        body = {
            "apiVersion": names.API_VERSION,
            "kind": "Camera",
            "metadata": {"name": name},
            "spec": {"source": source, "motion": {"enabled": False}},
        }
        self.server.admin.post(self.path(), body, fieldValidation="Strict")

    def delete(self, name: str) -> None:
        self.server.admin.delete(self.path(name))

    def assign(
        self, name: str, worker: str | None, epoch: int, previous: str | None = None
    ) -> None:
        """What the operator writes."""
        said = {"epoch": epoch, "worker": worker, "previous": previous}
        assignment = {key: value for key, value in said.items() if value is not None}
        body = {
            "apiVersion": names.API_VERSION,
            "kind": "Camera",
            "metadata": {"name": name},
            "status": {"assignment": assignment},
        }
        self.server.admin.apply(f"{self.path(name)}/status", body, names.OPERATOR_MANAGER)

    def secret(self, name: str, **values: str) -> None:
        body = {"metadata": {"name": name}, "stringData": values}
        self.server.admin.post(f"/api/v1/namespaces/{self.namespace}/secrets", body)

    def camera(self, name: str) -> Camera:
        return lenient.convert(self.server.admin.get(self.path(name)), Camera)

    def stream(self, name: str) -> Stream:
        return self.camera(name).status.stream or Stream()

    def reason(self, name: str) -> str:
        """Of the condition Ready."""
        conditions = {one.type: one for one in self.camera(name).status.conditions}
        return conditions["Ready"].reason if "Ready" in conditions else ""

    def is_captured(self, name: str, by: WorkerProgram, epoch: int) -> bool:
        stream = self.stream(name)
        return (stream.worker, stream.epoch) == (by.name, epoch) and bool(stream.connected_time)

    def lease(self, worker: str) -> Lease | None:
        path = f"/apis/coordination.k8s.io/v1/namespaces/{self.namespace}/leases/{worker}"
        with contextlib.suppress(Refused):
            return lenient.convert(self.server.admin.get(path), Lease)
        return None

    def events(self) -> list[tuple[str, str, str]]:
        """Object, reason and message of each Kubernetes Event."""
        listed = self.server.admin.get(f"/api/v1/namespaces/{self.namespace}/events")
        return [
            (one["involvedObject"]["name"], one["reason"], one["message"])
            for one in listed["items"]
        ]

    def path(self, name: str = "") -> str:
        path = f"/apis/{names.API_VERSION}/namespaces/{self.namespace}/cameras"
        return f"{path}/{name}" if name else path

    async def until(self, holds: Callable[[], bool], what: str, seconds: float = 20) -> None:
        """Wait for something that nobody tells of."""
        try:
            async with asyncio.timeout(seconds):
                while not holds():  # noqa: ASYNC110 - there is no event to wait for
                    await asyncio.sleep(TURN_SECONDS)
        except TimeoutError:
            raise AssertionError(f"not within {seconds} s: {what}\n{self.said()}") from None

    async def lives(
        self, worker: WorkerProgram, holds: Callable[[dict[str, Live]], bool], seconds: float = 10
    ) -> None:
        """Wait for something that a worker tells of its cameras."""
        async with asyncio.timeout(seconds):
            while not holds(await worker.live()):  # noqa: ASYNC110 - there is no event to wait for
                await asyncio.sleep(TURN_SECONDS)

    async def captured(self, name: str, by: WorkerProgram, epoch: int) -> None:
        """Wait until a worker says that it captures a camera."""
        await self.until(
            lambda: self.is_captured(name, by, epoch), f"{by.name} captures {name} ({epoch})"
        )

    def said(self) -> str:
        """What every worker said, for a failure's message."""
        return "\n".join(f"--- {one.name}\n{one.program.said}" for one in self.workers)


@asynccontextmanager
async def fleet(server: ApiServer, namespace: str, url: str = "") -> AsyncIterator[Fleet]:
    """An empty fleet; its workers end with the block.

    Args:
        server: Real.
        namespace: Of its own.
        url: Where the workers reach the API server, if not directly.
    """
    rules = [msgspec.to_builtins(rule) for rule in (*WORKER_RULES, SECRETS)]
    with Household() as household:
        account = service_account(server, namespace, "worker", rules)
        kubeconfig = account.kubeconfig(household.directory / "worker.kubeconfig", url=url)
        async with aiohttp.ClientSession() as http:
            made = Fleet(server, namespace, household, kubeconfig, http)
            try:
                yield made
            finally:
                for worker in made.workers:
                    worker.program.kill()
