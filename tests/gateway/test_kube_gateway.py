"""The gateway as a program before a real API server, with stand-ins for the workers' pods."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from ingest_core import names
from ingest_core.kube.pods import Pod
from ingest_core.model import Camera
from ingest_core.problems import URN
from ingest_gateway.main import Running, running
from ingest_gateway.permissions import RULES
from ingest_gateway.settings import GatewaySettings
from tests.cluster.api_server import ApiServer
from tests.fakes.cluster_registry import account, synced
from tests.fakes.standalone_program import COMMAND
from tests.fakes.worker_stand_in import JPEG, WorkerStandIn, worker_stand_in

LOBBY = {
    "id": "lobby",
    "source_type": "rtsp",
    "source_url": "rtsp://admin:hunter2@10.0.0.7/x",
}
LATEST = "/api/cameras/lobby/frame/latest"


@dataclass
class Cluster:
    """One namespace, a gateway in it, and what an operator and a kubelet would write."""

    server: ApiServer
    namespace: str
    program: Running
    session: aiohttp.ClientSession
    epoch: int = 0

    @property
    def cameras(self) -> str:
        return f"/apis/camera-ingest.io/v1alpha1/namespaces/{self.namespace}/cameras"

    @property
    def core(self) -> str:
        return f"/api/v1/namespaces/{self.namespace}"

    async def call(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        async with self.session.request(method, path, json=body) as response:
            raw = await response.read()
            json = response.content_type.endswith("json")
            return response.status, msgspec.json.decode(raw) if json else raw

    async def pod(self, name: str, worker: WorkerStandIn) -> None:
        """Write the pod of a worker; returns when the gateway knows it."""
        host, port = worker.address
        labels = {names.LABEL_NAME: names.APP, names.LABEL_COMPONENT: names.WORKER}
        ports = [{"name": "metrics", "containerPort": 1}, {"name": "http", "containerPort": port}]
        container = {"name": "worker", "image": "x", "ports": ports}
        self.server.admin.post(
            f"{self.core}/pods",
            {"metadata": {"name": name, "labels": labels}, "spec": {"containers": [container]}},
        )
        status = {"phase": "Running", "podIP": host, "podIPs": [{"ip": host}]}
        self.server.admin.merge(f"{self.core}/pods/{name}/status", {"status": status})
        await self.pods(lambda pods: name in pods and bool(pods[name].status.pod_ip))

    async def pods(self, holds: Callable[[Mapping[str, Pod]], bool]) -> None:
        async with asyncio.timeout(5), self.program.pods.changes() as changes:
            async for _ in changes:
                if holds(self.program.pods.objects):
                    return

    async def assign(self, name: str, worker: str) -> None:
        """Give a camera to a worker; returns when the gateway knows it."""
        self.epoch += 1
        status = {"status": {"assignment": {"worker": worker, "epoch": self.epoch}}}
        self.server.admin.merge(f"{self.cameras}/{name}/status", status)
        await self.seen(name, lambda camera: camera.epoch == self.epoch)

    async def seen(self, name: str, holds: Callable[[Camera], bool]) -> None:
        registry = self.program.registry
        async with asyncio.timeout(5), registry.changes() as changes:
            async for _ in changes:
                if name in registry.cameras and holds(registry.cameras[name]):
                    return


@asynccontextmanager
async def gateway(
    server: ApiServer, namespace: str, directory: Path, rules: Any = RULES
) -> AsyncIterator[Cluster]:
    await account(server, namespace, "gateway", rules, directory)
    settings = GatewaySettings(
        listen="127.0.0.1:0",
        worker_timeout_seconds=1,
        kubeconfig=str(directory / "gateway.kubeconfig"),
    )
    async with running(settings) as program:
        base = f"http://{program.addresses[0]}"
        async with aiohttp.ClientSession(base) as session:
            yield Cluster(server, namespace, program, session)


@pytest.fixture
async def cluster(api_server: ApiServer, namespace: str, tmp_path: Path) -> AsyncIterator[Cluster]:
    async with gateway(api_server, namespace, tmp_path) as one:
        await synced(one.program.registry)
        await one.pods(lambda _: True)
        yield one


async def test_a_camera_that_is_posted_and_assigned_is_served_from_its_pod(
    cluster: Cluster,
) -> None:
    async with worker_stand_in() as worker:
        await cluster.pod("default-0", worker)
        status, made = await cluster.call("POST", "/api/cameras", LOBBY | {"id": "cam_001"})
        assert (status, made["source_url"]) == (201, "rtsp://10.0.0.7/x")
        path = "/api/cameras/cam_001/frame/latest"
        status, problem = await cluster.call("GET", path)
        assert (status, problem["detail"]) == (503, "no worker has the camera yet")
        await cluster.assign(made["name"], "default-0")
        assert await cluster.call("GET", path) == (200, JPEG)
        assert worker.targets == ["/cameras/cam_001/frame/latest"]


async def test_with_the_api_server_gone_frames_are_served_on(cluster: Cluster) -> None:
    async with worker_stand_in() as worker:
        await cluster.pod("default-0", worker)
        await cluster.call("POST", "/api/cameras", LOBBY)
        await cluster.assign("lobby", "default-0")
        cluster.server.kill()
        assert await cluster.call("GET", LATEST) == (200, JPEG)
        assert (await cluster.call("GET", "/api/cameras/lobby"))[0] == 200
        assert (await cluster.call("GET", "/readyz"))[0] == 200
        for method, path, body in (
            ("POST", "/api/cameras", LOBBY | {"id": "door"}),
            ("PATCH", "/api/cameras/lobby", {"spec": {"weight": 7}}),
            ("DELETE", "/api/cameras/lobby", None),
        ):
            async with cluster.session.request(method, path, json=body) as response:
                assert (response.status, response.headers["Retry-After"]) == (503, "5")
        assert await cluster.call("GET", LATEST) == (200, JPEG)


async def test_a_pod_that_is_gone_or_comes_back_elsewhere_is_known(cluster: Cluster) -> None:
    async with worker_stand_in() as first, worker_stand_in() as second:
        await cluster.pod("default-0", first)
        await cluster.call("POST", "/api/cameras", LOBBY)
        await cluster.assign("lobby", "default-0")
        at_once = {"gracePeriodSeconds": 0}
        cluster.server.admin.delete(f"{cluster.core}/pods/default-0", at_once)
        await cluster.pods(lambda pods: "default-0" not in pods)
        assert (await cluster.call("GET", LATEST))[0] == 503
        await cluster.pod("default-0", second)
        assert (await cluster.call("GET", LATEST))[0] == 200
        assert second.asked


async def test_it_is_not_ready_before_the_pods_were_read_too(
    api_server: ApiServer, namespace: str, tmp_path: Path
) -> None:
    rules = [rule for rule in RULES if "pods" not in rule.resources]
    async with gateway(api_server, namespace, tmp_path, rules) as blind:
        await synced(blind.program.registry)
        status, problem = await blind.call("GET", "/readyz")
        assert (status, "workers have not been read yet" in problem["detail"]) == (503, True)


async def test_one_that_is_about_to_end_is_not_ready_and_serves(cluster: Cluster) -> None:
    assert (await cluster.call("GET", "/readyz"))[0] == 200
    cluster.program.draining.set()
    assert (await cluster.call("GET", "/readyz"))[0] == 503
    assert (await cluster.call("GET", "/api/cameras"))[0] == 200


async def test_one_that_is_about_to_end_lets_each_connection_go_with_its_next_answer(
    cluster: Cluster,
) -> None:
    async with worker_stand_in() as worker:
        await cluster.pod("default-0", worker)
        await cluster.call("POST", "/api/cameras", LOBBY)
        await cluster.assign("lobby", "default-0")
        paths = ("/api/cameras", LATEST, "/api/nothing")

        async def closing() -> list[bool]:
            return [
                (await cluster.session.get(path)).headers.get("Connection") == "close"
                for path in paths
            ]

        before = await closing()
        cluster.program.draining.set()

        assert (before, await closing()) == ([False] * len(paths), [True] * len(paths))


async def test_before_the_cameras_were_read_none_is_called_unknown(
    api_server: ApiServer, namespace: str, tmp_path: Path
) -> None:
    rules = [rule for rule in RULES if "cameras" not in rule.resources]
    async with gateway(api_server, namespace, tmp_path, rules) as blind:
        for method, path in (
            ("GET", "/api/cameras/lobby"),
            ("GET", LATEST),
            ("DELETE", "/api/cameras/lobby"),
        ):
            status, problem = await blind.call(method, path)
            assert (status, problem["type"]) == (503, f"{URN}registry-unavailable")


async def test_it_asks_for_exactly_what_its_role_allows(
    api_server: ApiServer, namespace: str, tmp_path: Path
) -> None:
    since = api_server.audit.position()
    async with gateway(api_server, namespace, tmp_path) as cluster:
        await synced(cluster.program.registry)
        await cluster.pods(lambda _: True)
        assert (await cluster.call("POST", "/api/cameras", LOBBY))[0] == 201
        patch = {"username": "a", "password": "b"}
        assert (await cluster.call("PATCH", "/api/cameras/lobby", patch))[0] == 200
        assert (await cluster.call("DELETE", "/api/cameras/lobby"))[0] == 204
    user = f"system:serviceaccount:{namespace}:gateway"
    asked = [one for one in api_server.audit.requests(since) if one.user == user]
    allowed = {
        (group, resource, verb)
        for rule in RULES
        for group in rule.api_groups
        for resource in rule.resources
        for verb in rule.verbs
    }
    assert {(one.group, one.resource, one.verb) for one in asked} == allowed
    assert all(one.allowed and one.namespace == namespace for one in asked)


async def test_told_to_end_it_serves_on_for_a_while_and_then_ends_well(
    api_server: ApiServer, namespace: str, tmp_path: Path
) -> None:
    await account(api_server, namespace, "gateway", RULES, tmp_path)
    process = await asyncio.create_subprocess_exec(
        COMMAND,
        "gateway",
        "--listen=127.0.0.1:0",
        "--drain-seconds=1",
        f"--kubeconfig={tmp_path / 'gateway.kubeconfig'}",
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    try:
        async with asyncio.timeout(20):
            started: dict[str, Any] = {}
            while started.get("event") != "gateway_started":
                started = msgspec.json.decode(await process.stderr.readline())
            async with aiohttp.ClientSession(f"http://{started['listen'][0]}") as session:
                status = 0
                while status != 200:
                    async with session.get("/readyz") as response:
                        status = response.status
                process.send_signal(signal.SIGTERM)
                while status != 503:
                    async with session.get("/readyz") as response:
                        status = response.status
                async with session.get("/api/cameras") as response:
                    assert response.status == 200
            said = await process.stderr.read()
            assert await process.wait() == 0
            assert b"Traceback" not in said
            assert b'"gateway_stopping"' in said
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
