"""Both sides of the seam over a real API server, and an operator that knows one worker only.

Gateway and worker have a service account each, with the rules that the code declares for them.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Final, Never

import msgspec

from ingest_core import names
from ingest_core.errors import ApiConflict, ApiNotFound
from ingest_core.kube import access
from ingest_core.kube.access import Access
from ingest_core.kube.cameras import KubeCameras
from ingest_core.kube.client import Api
from ingest_core.kube.resources import CAMERAS
from ingest_core.kube.rules import Rule
from ingest_core.model import ASSIGNED, Camera, CameraSpec, Condition, Stream
from ingest_core.registry import CameraReader
from ingest_gateway.kube_registry import KubeRegistry
from ingest_gateway.permissions import RULES
from ingest_operator.permissions import GRANTED, WORKER_RULES
from ingest_worker.assigned import AssignedCameras
from ingest_worker.kube_registry import KubeWorkerRegistry
from tests.cluster.api_server import ApiServer
from tests.cluster.identity import service_account

WORKER: Final = "standalone"
NOW: Final = "2026-11-22T09:00:00Z"


class ClusterRegistry:
    """What a gateway sees and does, and what one worker says and asks."""

    def __init__(self, gateway: KubeRegistry, worker: KubeWorkerRegistry) -> None:
        self._gateway = gateway
        self._worker = worker

    @property
    def cameras(self) -> Mapping[str, Camera]:
        return self._gateway.cameras

    @property
    def synced(self) -> bool:
        return self._gateway.synced

    def by_id(self, camera_id: str) -> Camera | None:
        return self._gateway.by_id(camera_id)

    def changes(self) -> AbstractAsyncContextManager[AsyncIterator[AbstractSet[str]]]:
        return self._gateway.changes()

    async def create(self, name: str, spec: CameraSpec, secret: Mapping[str, str]) -> Camera:
        return await self._gateway.create(name, spec, secret)

    async def replace(
        self, name: str, spec: CameraSpec, secret: Mapping[str, str] | None
    ) -> Camera:
        return await self._gateway.replace(name, spec, secret)

    async def delete(self, name: str) -> None:
        await self._gateway.delete(name)

    async def secret(self, name: str, key: str) -> str:
        return await self._worker.secret(name, key)

    async def report(
        self, camera: Camera, stream: Stream, conditions: tuple[Condition, ...]
    ) -> None:
        await self._worker.report(camera, stream, conditions)

    async def release(self, camera: Camera) -> None:
        await self._worker.release(camera)

    async def refresh(self) -> None:
        await self._worker.refresh()


@asynccontextmanager
async def cluster_registry(
    server: ApiServer, namespace: str, directory: Path
) -> AsyncIterator[ClusterRegistry]:
    """Run all of it until the block ends."""
    rules = (*WORKER_RULES, *GRANTED)
    async with (
        Api(await account(server, namespace, "gateway", RULES, directory)) as front,
        Api(await account(server, namespace, "worker", rules, directory)) as back,
        Api(await access.load(str(server.kubeconfig), {}), namespace) as admin,
        asyncio.TaskGroup() as tasks,
    ):
        gateway, operator = KubeRegistry(front), KubeCameras(admin)
        assigned = AssignedCameras(back, WORKER)
        playing = [
            tasks.create_task(gateway.run()),
            tasks.create_task(assigned.run()),
            tasks.create_task(operator.run()),
            tasks.create_task(_assign(operator, admin)),
        ]
        await synced(gateway)
        await synced(assigned)
        yield ClusterRegistry(gateway, KubeWorkerRegistry(back, assigned))
        for task in playing:
            task.cancel()


async def account(
    server: ApiServer, namespace: str, name: str, rules: Sequence[Rule], directory: Path
) -> Access:
    """One who may do what these rules say and nothing else."""
    made = service_account(server, namespace, name, [msgspec.to_builtins(rule) for rule in rules])
    kubeconfig = made.kubeconfig(directory / f"{name}.kubeconfig")
    return await access.load(str(kubeconfig), {})


async def synced(reader: CameraReader) -> None:
    """Return once everything was read."""
    async with asyncio.timeout(10), reader.changes() as changes:
        await anext(changes)


async def _assign(cameras: KubeCameras, api: Api) -> Never:
    """Give every camera to the one worker, under an epoch that is greater than any before."""
    async with cameras.changes() as changes:
        async for changed in changes:
            for camera in [cameras.cameras[name] for name in changed if name in cameras.cameras]:
                if camera.status.assignment is None:
                    await _give(api, camera)
    raise AssertionError("changes never end")


async def _give(api: Api, camera: Camera) -> None:
    condition = {
        "type": ASSIGNED,
        "status": "True",
        "reason": "Assigned",
        "message": "",
        "lastTransitionTime": NOW,
        "observedGeneration": camera.metadata.generation,
    }
    epoch = int(camera.metadata.resource_version)
    status = {"assignment": {"worker": WORKER, "epoch": epoch}, "conditions": [condition]}
    body: dict[str, Any] = {
        "apiVersion": camera.api_version,
        "kind": camera.kind,
        "metadata": {"name": camera.name, "uid": camera.metadata.uid},
        "status": status,
    }
    with contextlib.suppress(ApiNotFound, ApiConflict):  # it is gone, or another one by now
        await api.apply(
            CAMERAS, camera.name, body, manager=names.OPERATOR_MANAGER, subresource="status"
        )
