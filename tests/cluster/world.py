"""Everything together, as processes around a real API server: what a user would run in a cluster.

Operators, a gateway and (by the played kubelet) workers, each with the real token of its own
service account and exactly the rules that its code declares; cameras from the simulator.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

import aiohttp
import msgspec

from ingest_core.kube.rules import Rule
from ingest_gateway.permissions import RULES as GATEWAY_RULES
from ingest_operator.permissions import GRANTED
from ingest_operator.permissions import RULES as OPERATOR_RULES
from tests.cluster.api_server import ApiServer
from tests.cluster.client import Refused
from tests.cluster.denials import denials
from tests.cluster.history import check
from tests.cluster.identity import service_account
from tests.cluster.kubelet import COMMAND, Kubelet, PlayedPod
from tests.cluster.programs import HOST, Household, Program, free_port
from tests.cluster.recorder import record
from tests.fakes.simulator_process import SimulatorProcess, simulator_process

API = "camera-ingest.io/v1alpha1"
TURN_SECONDS = 0.02
LAG_SECONDS = 1.0  # for which an edit of a test's may be unknown to the operator


@dataclass
class World:
    """See the module.

    Attributes:
        operators, gateways: Programs, which tests may kill, freeze and start.
        urls: Of the gateways.
        kubelet: Has the workers.
    """

    server: ApiServer
    namespace: str
    household: Household
    kubelet: Kubelet
    simulator: SimulatorProcess
    http: aiohttp.ClientSession
    operators: list[Program] = field(default_factory=list)
    gateways: list[Program] = field(default_factory=list)
    urls: list[str] = field(default_factory=list)
    probes: list[str] = field(default_factory=list)
    url: str = ""

    def add_operator(self, *options: str) -> Program:
        """One more replica."""
        port = free_port()
        number = len(self.operators)
        listen = ("--listen", f"{HOST}:{port}", "--identity", f"operator-{number}")
        program = self._program("operator", number, (*listen, *options))
        self.operators.append(program)
        self.probes.append(f"http://{HOST}:{port}")
        return program

    def add_gateway(self, *options: str) -> Program:
        """One more replica."""
        port = free_port()
        program = self._program(
            "gateway", len(self.gateways), ("--listen", f"{HOST}:{port}", *options)
        )
        self.gateways.append(program)
        self.urls.append(f"http://{HOST}:{port}")
        return program

    def _program(self, name: str, number: int, options: tuple[str, ...]) -> Program:
        who = account(name, number)
        kubeconfig = self.household.directory / f"{self.namespace}-{who}.kubeconfig"
        made = service_account(self.server, self.namespace, who, _raw(_RULES[name]))
        made.kubeconfig(kubeconfig, url=self.url)
        where = ("--kubeconfig", str(kubeconfig), "--namespace", self.namespace)
        program = Program(
            self.household, f"{self.namespace}-{name}-{number}", (COMMAND, name, *where, *options)
        )
        program.start()
        return program

    # What a user does

    async def apply(self, kind: str, name: str, spec: Any) -> Any:
        """Like `kubectl apply` of a Camera or CameraPool."""
        plural = {"Camera": "cameras", "CameraPool": "camerapools"}[kind]
        body = {"apiVersion": API, "kind": kind, "metadata": {"name": name}, "spec": spec}
        path = self.path(plural, name)
        return await asyncio.to_thread(
            self.server.admin.apply, path, body, fieldValidation="Strict"
        )

    async def secret(self, name: str, **values: str) -> None:
        path = f"/api/v1/namespaces/{self.namespace}/secrets"
        body = {"metadata": {"name": name}, "stringData": values}
        await asyncio.to_thread(self.server.admin.post, path, body)

    async def delete(self, plural: str, name: str) -> None:
        with contextlib.suppress(Refused):
            await asyncio.to_thread(self.server.admin.delete, self.path(plural, name))

    async def get(self, plural: str, name: str = "") -> Any:
        return await asyncio.to_thread(self.server.admin.get, self.path(plural, name))

    async def cameras(self) -> dict[str, Any]:
        return {one["metadata"]["name"]: one for one in (await self.get("cameras"))["items"]}

    async def frame(self, camera_id: str, **query: str) -> tuple[int, bytes, dict[str, str]]:
        """Status, body and headers of the latest frame through the first gateway."""
        url = f"{self.urls[0]}/api/cameras/{camera_id}/frame/latest"
        async with self.http.get(url, params=query) as answer:
            return answer.status, await answer.read(), dict(answer.headers)

    async def live(self, pod: PlayedPod) -> list[str]:
        """Ids of the cameras that a worker says that it has."""
        async with self.http.get(f"http://{pod.ip}:8080/live") as answer:
            return [str(one["camera_id"]) for one in await answer.json()]

    async def ready(self, url: str, seconds: float = 30) -> None:
        """Wait until a gateway or an operator says that it is ready."""
        deadline = time.monotonic() + seconds
        while True:
            with contextlib.suppress(aiohttp.ClientError):
                async with self.http.get(f"{url}/readyz") as answer:
                    if answer.status == HTTPStatus.OK:
                        return
            assert time.monotonic() < deadline, self.said()
            await asyncio.sleep(TURN_SECONDS)

    def path(self, plural: str, name: str = "") -> str:
        path = f"/apis/{API}/namespaces/{self.namespace}/{plural}"
        return f"{path}/{name}" if name else path

    async def until(
        self, holds: Callable[[dict[str, Any]], bool], what: str, seconds: float = 30
    ) -> dict[str, Any]:
        """Wait until something holds for the Cameras, by name; says what did not."""
        deadline = time.monotonic() + seconds
        while True:
            cameras = await self.cameras()
            if holds(cameras):
                return cameras
            if time.monotonic() > deadline:
                told = {name: one.get("status") for name, one in cameras.items()}
                raise AssertionError(f"not within {seconds} s: {what}\n{told}\n{self.said()}")
            await asyncio.sleep(TURN_SECONDS)

    def said(self, characters: int = 1500) -> str:
        """The end of what every program said, for a failure's message."""
        programs = [*self.operators, *self.gateways]
        programs += [pod.program for pod in self.kubelet.pods.values()]
        return "\n".join(
            f"--- {program.name}\n{program.said[-characters:]}" for program in programs
        )


_RULES: dict[str, tuple[Rule, ...]] = {
    "operator": (*OPERATOR_RULES, *GRANTED),
    "gateway": GATEWAY_RULES,
}


def account(program: str, number: int) -> str:
    """Of a replica, so that the audit log tells one from another: `operator`, `operator-1`."""
    return f"{program}-{number}" if number else program


def _raw(rules: tuple[Rule, ...]) -> Any:
    return msgspec.to_builtins(rules)


@asynccontextmanager
async def world(
    server: ApiServer,
    namespace: str,
    *,
    operators: int = 1,
    gateways: int = 1,
    options: tuple[str, ...] = (),
    url: str = "",
    urls: Mapping[str, str] = MappingProxyType({}),
    judged: bool = True,
) -> AsyncIterator[World]:
    """A world that ends with the block; it has no pool and no camera yet.

    When the block ends well, the history of every Camera must have kept the rules: no camera left a
    worker that nothing was done to. And RBAC must have refused nobody what it needs, unless the API
    server was another process in the end: one that starts refuses everybody until it has read its
    Roles. Nor may it have refused the played kubelet what it will never grant, judged or not.

    Args:
        server: Real.
        namespace: Of its own.
        operators: How many.
        gateways: How many.
        options: Of the operators.
        url: Where every program reaches the API server, if not directly.
        urls: The same of single workers, by name.
        judged: Not, where the test judges for itself.
    """
    since, process = server.audit.position(), server.process.pid
    with Household() as household:
        kubelet = Kubelet(server, namespace, household, url, urls)
        try:
            async with (
                simulator_process() as simulator,
                aiohttp.ClientSession() as http,
                record(server.etcd, namespace) as recorder,
            ):
                made = World(server, namespace, household, kubelet, simulator, http, url=url)
                kubelet.start()
                for _ in range(operators):
                    await asyncio.to_thread(made.add_operator, *options)
                for _ in range(gateways):
                    await asyncio.to_thread(made.add_gateway)
                for place in (*made.urls, *made.probes):
                    await made.ready(place)
                yield made
                assert not kubelet.faults, "\n".join(sorted(kubelet.faults))
                if judged:
                    found = check(
                        await recorder.history(),
                        justified=lambda move: move.source in kubelet.disturbed,
                        lag=LAG_SECONDS,
                    )
                    assert not found, "\n".join(map(str, found))
                    if server.process.pid == process:
                        denied = denials(server.audit.requests(since), namespace)
                        assert not denied, "\n".join(map(str, denied))
        finally:
            if kubelet.is_alive():
                kubelet.close()


def captured(camera: Any) -> bool:
    """Does its assigned worker say that it is connected, under this epoch?"""
    status = camera.get("status", {})
    assignment, stream = status.get("assignment", {}), status.get("stream", {})
    return bool(
        assignment.get("worker")
        and stream.get("epoch") == assignment.get("epoch")
        and stream.get("connectedTime")
    )
