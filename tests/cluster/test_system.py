"""The whole control plane on a real API server: `kubectl apply` in, frames out of the gateway."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest
import redis.asyncio

from ingest_simulator.camera import Auth, SimulatedCamera
from tests.cluster.api_server import ApiServer
from tests.cluster.plugin import Kubectl
from tests.cluster.world import World, captured, world
from tests.fakes.redis_server import RedisServer, running

POOL: dict[str, Any] = {
    "replicas": 2,
    "lease": {"durationSeconds": 4, "renewSeconds": 1},
    "worker": {"terminationGracePeriodSeconds": 40},
    "rebalance": {"maxMovesPerMinute": 0},
}
FPS = 10


@pytest.fixture
async def cluster(api_server: ApiServer, namespace: str) -> AsyncIterator[World]:
    async with world(api_server, namespace) as made:
        await made.apply("CameraPool", "default", POOL)
        yield made


@pytest.fixture
async def patient(api_server: ApiServer, namespace: str) -> AsyncIterator[World]:
    """One in which a worker may take its time to come back."""
    lease = {"durationSeconds": 60, "renewSeconds": 1}
    async with world(api_server, namespace) as made:
        await made.apply("CameraPool", "default", {**POOL, "lease": lease})
        yield made


def small(name: str, **more: Any) -> SimulatedCamera:
    return SimulatedCamera(name=name, width=160, height=120, fps=FPS, gop=FPS, **more)


async def add(cluster: World, name: str, **rtsp: Any) -> str:
    """A simulated camera, and its Camera."""
    url = await cluster.simulator.add(small(name))
    await cluster.apply("Camera", name, {"source": {"rtsp": {"url": url, **rtsp}}})
    return url


def every(cameras: dict[str, Any]) -> bool:
    return bool(cameras) and all(map(captured, cameras.values()))


def since(camera: Any) -> str:
    """When the camera's session was connected; empty while none is."""
    return str(camera["status"].get("stream", {}).get("connectedTime", ""))


def worker_of(camera: Any) -> str:
    return str(camera["status"]["assignment"]["worker"])


async def test_an_applied_camera_is_assigned_captured_and_served(
    cluster: World, kubectl: Kubectl
) -> None:
    await cluster.secret("login", username="admin", password="pa ss/w@rd")
    camera = small("lobby", auth=Auth.DIGEST_MD5, username="admin", password="pa ss/w@rd")
    url = await cluster.simulator.add(camera)
    rtsp = {"url": url, "credentialsSecretRef": {"name": "login"}}
    await cluster.apply("Camera", "lobby", {"source": {"rtsp": rtsp}})
    await cluster.until(every, "the camera is captured")
    status, body, headers = await cluster.frame("lobby")
    assert (status, body[:2]) == (200, b"\xff\xd8")
    assert abs(time.time() - float(headers["X-Frame-Timestamp"])) < 5
    shown = await asyncio.to_thread(kubectl, "get", "cam", "lobby", "--no-headers")
    assert " True " in shown.stdout, shown.stdout


async def test_a_camera_over_http_comes_with_its_login_and_goes_with_it(cluster: World) -> None:
    camera = small("door", auth=Auth.BASIC, username="u", password="p")
    url = (await cluster.simulator.add(camera)).replace("rtsp://", "rtsp://u:p@")
    body = {"id": "cam_door", "source_type": "rtsp", "source_url": url}
    async with cluster.http.post(f"{cluster.urls[0]}/api/cameras", json=body) as answer:
        assert answer.status == 201, await answer.text()
    (camera_object,) = (await cluster.until(every, "the camera is captured")).values()
    assert "p@" not in str(camera_object)
    status, _, _ = await cluster.frame("cam_door")
    assert status == 200
    async with cluster.http.delete(f"{cluster.urls[0]}/api/cameras/cam_door") as answer:
        assert answer.status == 204
    await cluster.until(lambda cameras: not cameras, "the camera is gone")
    secrets = await asyncio.to_thread(
        cluster.server.admin.get, f"/api/v1/namespaces/{cluster.namespace}/secrets"
    )
    assert secrets["items"] == []


async def test_a_pushed_frame_goes_to_the_worker_and_comes_back(cluster: World) -> None:
    await cluster.apply("Camera", "yard", {"source": {"push": {}}})
    await cluster.until(
        lambda cameras: "Ready" in str(cameras["yard"].get("status")), "a worker waits for pushes"
    )
    await add(cluster, "other")
    await cluster.until(lambda cameras: captured(cameras["other"]), "a picture to push")
    _, jpeg, _ = await cluster.frame("other")
    url = f"{cluster.urls[0]}/api/ingest/push/yard"
    async with cluster.http.post(url, data=jpeg, headers={"Content-Type": "image/jpeg"}) as answer:
        assert answer.status == 202, await answer.text()
    status, body, _ = await cluster.frame("yard")
    assert (status, body) == (200, jpeg)


async def test_a_worker_that_crashes_and_comes_back_keeps_its_cameras(patient: World) -> None:
    for number in range(4):
        await add(patient, f"cam-{number}")
    before = await patient.until(every, "all are captured")
    victim = worker_of(before["cam-0"])
    patient.kubelet.kill(victim)
    after = await patient.until(
        lambda now: (
            all(
                since(now[name]) > since(before[name])
                for name in now
                if worker_of(before[name]) == victim
            )
            and every(now)
        ),
        "its cameras are captured again",
    )
    assert {name: one["status"]["assignment"]["epoch"] for name, one in after.items()} == {
        name: one["status"]["assignment"]["epoch"] for name, one in before.items()
    }


async def test_a_lost_worker_gives_away_its_cameras_and_no_other_moves(cluster: World) -> None:
    for number in range(4):
        await add(cluster, f"cam-{number}")
    before = await cluster.until(every, "all are captured")
    victim = worker_of(before["cam-0"])
    cluster.kubelet.kill(victim, hold=True)
    after = await cluster.until(
        lambda now: every(now) and all(worker_of(one) != victim for one in now.values()),
        "others have its cameras",
    )
    for name, camera in before.items():
        if worker_of(camera) != victim:
            assert after[name]["status"]["assignment"] == camera["status"]["assignment"]
    status, _, _ = await cluster.frame("cam-0")
    assert status == 200


async def test_a_worker_resumes_its_cameras_without_an_operator(cluster: World) -> None:
    await add(cluster, "lobby")
    before = await cluster.until(every, "it is captured")
    cluster.operators[0].kill()
    cluster.kubelet.kill(worker_of(before["lobby"]))
    await cluster.until(
        lambda now: since(now["lobby"]) > since(before["lobby"]),
        "it is captured again",
    )


def ready(camera: Any) -> tuple[str, str]:
    conditions = {one["type"]: one for one in camera["status"]["conditions"]}
    return conditions["Ready"]["status"], conditions["Ready"]["reason"]


async def test_a_camera_of_a_lost_worker_is_not_ready_until_that_is_back(cluster: World) -> None:
    await cluster.apply("CameraPool", "default", {**POOL, "replicas": 1})
    await add(cluster, "lobby")
    before = await cluster.until(every, "it is captured")
    worker = worker_of(before["lobby"])
    cluster.kubelet.pause(worker)
    await cluster.until(
        lambda now: ready(now["lobby"]) == ("False", "WorkerLost"), "nobody captures it"
    )
    cluster.kubelet.resume(worker)
    after = await cluster.until(
        lambda now: ready(now["lobby"]) == ("True", "Connected"), "its worker says so"
    )
    assert after["lobby"]["status"]["assignment"] == before["lobby"]["status"]["assignment"]


async def test_frames_are_served_while_the_api_server_is_down(cluster: World) -> None:
    await add(cluster, "lobby")
    await cluster.until(every, "it is captured")
    first = (await cluster.frame("lobby"))[2]["X-Frame-Sequence"]
    cluster.server.kill()
    deadline = time.monotonic() + 20
    while int((await cluster.frame("lobby"))[2].get("X-Frame-Sequence", 0)) < int(first) + FPS:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)
    cluster.server.restart()


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    with running(tmp_path) as server:
        yield server


async def captured_times(url: str, name: str, times: list[float]) -> None:
    """Collect the capture times of a camera's frames, from every worker."""
    client = redis.asyncio.from_url(url)
    async with client.pubsub() as channel:
        await channel.subscribe(f"camera:{name}")
        async for message in channel.listen():
            data = message["data"] if message["type"] == "message" else b""
            if b"frame.ingested" in data:
                event = msgspec.json.decode(data)
                times.append(float(event["data"]["timestamp"]))


async def test_a_rolling_update_loses_no_frame_of_a_shared_camera(
    api_server: ApiServer, namespace: str, redis_server: RedisServer
) -> None:
    async with world(api_server, namespace) as cluster:
        await cluster.secret("redis", url=redis_server.url)
        worker = {
            **POOL["worker"],
            "redisUrlSecretRef": {"name": "redis", "key": "url"},
        }
        await cluster.apply("CameraPool", "default", {**POOL, "worker": worker})
        names = [f"cam-{number}" for number in range(4)]
        for name in names:
            await add(cluster, name)
        before = await cluster.until(every, "all are captured")
        times: dict[str, list[float]] = {name: [] for name in names}
        async with asyncio.TaskGroup() as tasks:
            watching = [
                tasks.create_task(captured_times(redis_server.url, name, times[name]))
                for name in names
            ]
            await cluster.until(lambda _: all(times.values()), "events come")
            rolled = {**POOL, "worker": {**worker, "podAnnotations": {"roll": "1"}}}
            pods = {pod.uid for pod in cluster.kubelet.pods.values()}
            await cluster.apply("CameraPool", "default", rolled)
            await cluster.until(
                lambda now: (
                    every(now)
                    and len(cluster.kubelet.pods) == 2
                    and not pods & {pod.uid for pod in cluster.kubelet.pods.values()}
                    and all(pod.ready for pod in cluster.kubelet.pods.values())
                ),
                "both workers are new ones",
                60,
            )
            for task in watching:
                task.cancel()
        moved = await cluster.cameras()
        assert any(
            moved[name]["status"]["assignment"]["epoch"]
            > before[name]["status"]["assignment"]["epoch"]
            for name in names
        )
        for name, seen in times.items():
            ordered = sorted(seen)
            gaps = [later - sooner for sooner, later in pairwise(ordered)]
            assert max(gaps) < 2 / FPS, (name, max(gaps), cluster.said())
