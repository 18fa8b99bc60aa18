"""What a worker says to a real API server, and how it reads Secrets there."""

import asyncio
import base64
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from ingest_core import lenient, names
from ingest_core.errors import (
    ApiInvalid,
    ApiUnavailable,
    RegistryUnavailable,
    SecretMissing,
    Superseded,
)
from ingest_core.kube import access
from ingest_core.kube.client import Api
from ingest_core.model import CONNECTED, READY, Camera, Condition, Stream
from ingest_worker.assigned import AssignedCameras
from ingest_worker.kube_registry import KubeWorkerRegistry
from tests.cluster.api_server import ApiServer
from tests.cluster.identity import service_account
from tests.fakes.memory_api import put_camera
from tests.fakes.selected_api import SelectedApi, SelectedServer
from tests.fakes.virtual_time import in_virtual_time

ME, OTHER = "default-0", "default-1"
TIME = "2026-11-22T09:00:00.000Z"
FIRST, LATER = 1_795_338_000.0, 1_795_338_060.0  # Unix seconds


class Clock:
    now = FIRST

    def __call__(self) -> float:
        return self.now


@dataclass
class Told:
    """A registry, and what the server has of the one camera."""

    registry: KubeWorkerRegistry
    server: ApiServer
    namespace: str
    clock: Clock

    @property
    def path(self) -> str:
        return f"/apis/{names.API_VERSION}/namespaces/{self.namespace}/cameras"

    def create(self) -> Camera:
        spec: dict[str, Any] = {"source": {"push": {}}}
        body = {"apiVersion": names.API_VERSION, "kind": "Camera", "spec": spec}
        made = self.server.admin.post(self.path, {**body, "metadata": {"name": "door"}})
        return lenient.convert(made, Camera)

    async def assign(self, epoch: int, worker: str = ME, previous: str | None = None) -> None:
        """Write as the operator does; returns when the registry has heard of it."""
        given = {"epoch": epoch, "worker": worker, "previous": previous}
        self.write({"assignment": {key: one for key, one in given.items() if one}})
        async with self.registry.changes() as changes:
            async for _ in changes:
                if (found := self.registry.cameras.get("door")) and found.epoch == epoch:
                    return

    def write(self, status: object, manager: str = names.OPERATOR_MANAGER) -> None:
        body = {"apiVersion": names.API_VERSION, "kind": "Camera", "metadata": {"name": "door"}}
        path = f"{self.path}/door/status"
        self.server.admin.apply(path, {**body, "status": status}, manager)

    def status(self) -> Any:
        return self.server.admin.get(f"{self.path}/door").get("status", {})

    def camera(self) -> Camera:
        return lenient.convert(self.server.admin.get(f"{self.path}/door"), Camera)


@asynccontextmanager
async def registry_of(
    kubeconfig: Path, namespace: str, worker: str = ME, clock: Callable[[], float] = time.time
) -> AsyncIterator[KubeWorkerRegistry]:
    """A worker's registry, synced, that follows until the block ends."""
    async with api_of(kubeconfig, namespace) as api:
        cameras = AssignedCameras(api, worker)
        following = asyncio.create_task(cameras.run())
        async with cameras.changes() as changes:
            await anext(changes)
        yield KubeWorkerRegistry(api, cameras, clock)
        following.cancel()
        await asyncio.wait([following])


@asynccontextmanager
async def api_of(kubeconfig: Path, namespace: str) -> AsyncIterator[Api]:
    async with Api(await access.load(str(kubeconfig), {}), namespace) as api:
        yield api


@pytest.fixture
async def told(api_server: ApiServer, namespace: str) -> AsyncIterator[Told]:
    clock = Clock()
    async with registry_of(api_server.kubeconfig, namespace, ME, clock) as registry:
        yield Told(registry, api_server, namespace, clock)


def conditions(connected: bool, reason: str = "Connected") -> tuple[Condition, ...]:  # noqa: FBT001
    said = "True" if connected else "False"
    return tuple(
        Condition(type=type_, status=said, reason=reason, message="why")  # type: ignore[arg-type]
        for type_ in (CONNECTED, READY)
    )


def stream(epoch: int, worker: str = ME, **more: Any) -> Stream:
    return Stream(worker=worker, epoch=epoch, codec="h264", sessions=1, **more)


async def test_a_report_is_written_whole_beside_what_the_operator_wrote(told: Told) -> None:
    camera = told.create()
    await told.assign(3)
    assigned = {"type": "Assigned", "status": "True", "reason": "Assigned"}
    operators = {"assignment": {"epoch": 3, "worker": ME}}
    told.write({**operators, "conditions": [{**assigned, "lastTransitionTime": TIME}]})
    await told.registry.report(camera, stream(3, connected_time=TIME), conditions(connected=True))
    status = told.status()
    assert status["stream"] == {
        "worker": ME,
        "epoch": 3,
        "codec": "h264",
        "connectedTime": TIME,
        "sessions": 1,
    }
    assert status["observedGeneration"] == 1
    assert status["assignment"] == {"epoch": 3, "worker": ME}
    assert [one["type"] for one in status["conditions"]] == ["Assigned", "Connected", "Ready"]
    assert told.registry.cameras["door"] == told.camera(), "its answer is known at once"
    await told.registry.report(camera, stream(3), conditions(connected=False, reason="Stalled"))
    assert "connectedTime" not in told.status()["stream"], "what is not said any more is gone"


async def test_what_the_operator_said_of_a_lost_worker_goes_when_it_is_back(told: Told) -> None:
    told.create()
    await told.assign(4)
    lost = {"type": READY, "status": "False", "reason": "WorkerLost", "message": "it is lost"}
    told.write({"conditions": [{**lost, "lastTransitionTime": TIME}]}, names.UNREADY_MANAGER)
    camera = told.registry.cameras["door"]
    fine = tuple(replace(one, message="") for one in conditions(connected=True))
    await told.registry.report(camera, stream(4), fine)
    (ready,) = (one for one in told.status()["conditions"] if one["type"] == READY)
    assert (ready["status"], ready["reason"], ready["message"]) == ("True", "Connected", "")


async def test_a_condition_is_as_old_as_its_status(told: Told) -> None:
    camera = told.create()
    await told.assign(3)

    def since() -> list[str]:
        return [one["lastTransitionTime"] for one in told.status()["conditions"]]

    await told.registry.report(camera, stream(3), conditions(connected=False, reason="Stalled"))
    first = since()
    told.clock.now = LATER
    await told.registry.report(camera, stream(3), conditions(connected=False, reason="NotFound"))
    assert since() == first
    await told.registry.report(camera, stream(3), conditions(connected=True))
    assert since() != first
    assert len(set(since())) == 1


async def test_the_next_worker_takes_the_word_and_the_last_one_is_refused(
    told: Told, api_server: ApiServer, namespace: str
) -> None:
    camera = told.create()
    await told.assign(3)
    await told.registry.report(camera, stream(3, connected_time=TIME), conditions(connected=True))
    await told.assign(4, OTHER, previous=ME)
    async with registry_of(api_server.kubeconfig, namespace, OTHER) as other:
        await other.report(camera, stream(4, OTHER), conditions(connected=True))
    before = told.status()
    with pytest.raises(Superseded):
        await told.registry.report(camera, stream(3), conditions(connected=False))
    assert told.status() == before
    assert before["stream"]["worker"] == OTHER


async def test_letting_go_takes_no_word_away_and_none_takes_it_away(told: Told) -> None:
    camera = told.create()
    await told.assign(3)
    await told.registry.report(camera, stream(3, connected_time=TIME), conditions(connected=True))
    await told.assign(4, OTHER, previous=ME)
    await told.registry.release(told.camera())
    said = told.status()["stream"]
    assert said == {
        "worker": ME,
        "epoch": 3,
        "codec": "h264",
        "connectedTime": TIME,
        "sessions": 1,
        "releasedEpoch": 4,
    }
    await told.assign(5)
    await told.registry.report(camera, stream(5), conditions(connected=False))
    assert told.status()["stream"]["releasedEpoch"] == 4


async def test_a_worker_that_never_said_anything_can_let_go(told: Told) -> None:
    told.create()
    await told.assign(4, OTHER, previous=ME)
    await told.registry.release(told.camera())
    assert told.status()["stream"] == {"releasedEpoch": 4}


async def test_what_is_said_of_a_camera_that_is_gone_or_another_is_no_error(told: Told) -> None:
    told.create()
    await told.assign(1)
    first = told.registry.cameras["door"]
    told.server.admin.delete(f"{told.path}/door")
    told.create()  # and nobody has heard of any of it
    await told.registry.report(first, stream(1), conditions(connected=True))
    await told.registry.release(first)
    assert told.status() == {}
    await told.assign(9)
    await told.registry.report(first, stream(9), conditions(connected=True))
    await told.registry.release(first)
    told.server.admin.delete(f"{told.path}/door")
    await told.registry.report(first, stream(9), conditions(connected=True))
    await told.registry.release(first)


async def test_a_report_that_others_came_before_is_written_on_what_they_wrote(told: Told) -> None:
    camera = told.create()
    await told.assign(3)
    await told.registry.report(camera, stream(3), conditions(connected=True))
    since = told.status()["conditions"][0]["lastTransitionTime"]
    told.clock.now = LATER
    for epoch in (4, 5):
        body = {"assignment": {"epoch": epoch, "worker": ME}}
        told.write(body)  # and nobody has heard of it
        await told.registry.report(camera, stream(epoch), conditions(connected=True))
        status = told.status()
        assert (status["stream"]["epoch"], status["assignment"]["epoch"]) == (epoch, epoch)
        assert status["conditions"][0]["lastTransitionTime"] == since


@in_virtual_time
async def test_what_was_written_is_known_before_any_watch_tells_of_it() -> None:
    server = SelectedServer()
    put_camera(server, "door")
    server.assign("door", ME, 3)
    api = SelectedApi(server)
    cameras = AssignedCameras(api, ME)
    following = asyncio.create_task(cameras.run())
    async with cameras.changes() as changes:
        await anext(changes)
    for field in (names.SELECT_WORKER, names.SELECT_PREVIOUS):
        api.hold(field)
    registry = KubeWorkerRegistry(api, cameras)
    camera = registry.cameras["door"]
    for count in range(1, 4):
        await registry.report(camera, stream(3), conditions(connected=bool(count % 2)))
        assert registry.cameras["door"].status.stream == stream(3)
        assert len(api.calls("patch")) == count, "none of them was a conflict"
    following.cancel()
    await asyncio.wait([following])


async def test_what_breaks_a_rule_is_refused_as_that(told: Told) -> None:
    camera = told.create()
    await told.assign(3)
    with pytest.raises(ApiInvalid, match=r"stream\.width"):
        await told.registry.report(camera, stream(3, width=-1), conditions(connected=True))


async def test_a_secret_is_read_as_it_is_now(told: Told) -> None:
    path = f"/api/v1/namespaces/{told.namespace}/secrets"
    value = "hunter2: '\"#%\\ é 😀"
    told.server.admin.post(path, {"metadata": {"name": "login"}, "stringData": {"password": value}})
    assert await told.registry.secret("login", "password") == value
    told.server.admin.merge(f"{path}/login", {"stringData": {"password": "another"}})
    assert await told.registry.secret("login", "password") == "another"


async def test_a_secret_that_is_not_there_or_no_text_is_missing(told: Told) -> None:
    with pytest.raises(SecretMissing, match="does not exist"):
        await told.registry.secret("login", "password")
    path = f"/api/v1/namespaces/{told.namespace}/secrets"
    binary = base64.b64encode(b"\xff\xfe").decode()
    told.server.admin.post(path, {"metadata": {"name": "login"}, "data": {"binary": binary}})
    with pytest.raises(SecretMissing, match="has no key"):
        await told.registry.secret("login", "password")
    with pytest.raises(SecretMissing, match="not text"):
        await told.registry.secret("login", "binary")
    told.server.admin.post(path, {"metadata": {"name": "empty"}})
    with pytest.raises(SecretMissing, match="has no key"):
        await told.registry.secret("empty", "password")


async def test_a_secret_that_the_role_does_not_name_is_missing_and_says_why(
    told: Told, tmp_path: Path
) -> None:
    account = service_account(told.server, told.namespace, "nobody")
    path = f"/api/v1/namespaces/{told.namespace}/secrets"
    told.server.admin.post(path, {"metadata": {"name": "login"}, "stringData": {"password": "x"}})
    async with api_of(account.kubeconfig(tmp_path / "kubeconfig"), told.namespace) as api:
        registry = KubeWorkerRegistry(api, AssignedCameras(api, ME))
        with pytest.raises(SecretMissing, match=r"Role does not allow it \(yet\)"):
            await registry.secret("login", "password")


async def test_a_server_that_is_away_is_unavailable(
    api_server: ApiServer, namespace: str, tmp_path: Path
) -> None:
    account = service_account(api_server, namespace, "worker")
    nowhere = account.kubeconfig(tmp_path / "kubeconfig", url="https://127.0.0.1:1")
    async with api_of(nowhere, namespace) as api:
        registry = KubeWorkerRegistry(api, AssignedCameras(api, ME))
        with pytest.raises(ApiUnavailable):
            await registry.secret("login", "password")
        with pytest.raises(RegistryUnavailable):
            await registry.refresh()
