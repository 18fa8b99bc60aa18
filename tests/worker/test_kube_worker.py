"""Real workers on a real API server with simulated cameras; the test writes as the operator would.

A worker is a process here: what is killed and frozen is what a user would run.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import datetime
from itertools import pairwise

import pytest

from ingest_simulator.camera import Auth, SimulatedCamera
from ingest_simulator.simulator import Simulator
from tests.cluster.api_server import ApiServer
from tests.cluster.proxy import proxy
from tests.fakes.fleet import Fleet, WorkerProgram, fleet

A, B = "default-0", "default-1"
FPS = 10
NEW, MOVED = 11, 12  # epochs


def simulated(name: str = "lobby", **more: object) -> SimulatedCamera:
    settings = {"width": 160, "height": 96, "fps": FPS, "gop": FPS, "clip_seconds": 2} | more
    return SimulatedCamera(name=name, **settings)  # type: ignore[arg-type] # a test's own data


@pytest.fixture
async def workers(api_server: ApiServer, namespace: str) -> AsyncIterator[Fleet]:
    async with fleet(api_server, namespace) as made:
        yield made


async def captured_by(
    workers: Fleet, simulator: Simulator, worker: WorkerProgram, session: str = "Shared"
) -> None:
    """The camera `lobby`, assigned to a worker and captured by it."""
    url = await simulator.add(simulated())
    workers.create("lobby", rtsp={"url": url, "session": session})
    workers.assign("lobby", worker.name, NEW)
    await workers.captured("lobby", worker, NEW)


async def test_a_camera_that_is_assigned_is_captured_reported_and_served(
    workers: Fleet, simulator: Simulator
) -> None:
    a = workers.worker(A)
    await captured_by(workers, simulator, a)
    camera = workers.camera("lobby")
    stream = workers.stream("lobby")
    assert (stream.codec, stream.width, stream.height, stream.sessions) == ("h264", 160, 96, 1)
    conditions = {one.type: one for one in camera.status.conditions}
    assert {type_: one.status for type_, one in conditions.items()} == {
        "Connected": "True",
        "Ready": "True",
    }
    assert camera.status.observed_generation == camera.metadata.generation == 1
    assert await a.status("/readyz") == 200
    assert await a.status("/cameras/lobby/frame/latest") == 200
    assert await a.status("/cameras/another/frame/latest") == 421
    live = await a.live()
    assert (live["lobby"].connected, live["lobby"].epoch) == (True, NEW)
    metrics = await a.metrics()
    assert "camera_ingest_worker_lease_held 1.0" in metrics
    assert 'camera_ingest_reports_total{result="written"}' in metrics
    assert 'camera_ingest_kube_requests_total{code="200",resource="cameras/status"' in metrics
    await workers.until(
        lambda: ("lobby", "Connected", "h264, 160x96") in workers.events(), "people are told"
    )
    simulator.close_port()
    simulator.disconnect("lobby")
    await workers.until(lambda: workers.reason("lobby") == "Unreachable", "it says so")
    await workers.until(
        lambda: any(
            what == "Disconnected" and why.startswith("Unreachable")
            for _, what, why in workers.events()
        ),
        "people are told",
    )
    workers.delete("lobby")
    await workers.lives(a, lambda live: not live)


async def test_a_secret_that_comes_after_its_camera_is_found_soon(
    workers: Fleet, simulator: Simulator
) -> None:
    url = await simulator.add(simulated(auth=Auth.BASIC, username="admin", password="p@ss"))
    workers.worker(A)
    workers.create("lobby", rtsp={"url": url, "credentialsSecretRef": {"name": "login"}})
    workers.assign("lobby", A, NEW)
    await workers.until(
        lambda: workers.reason("lobby") == "CredentialsMissing", "it says what is missing"
    )
    workers.secret("login", username="admin", password="p@ss")
    await workers.captured("lobby", workers.workers[0], NEW)
    assert "p@ss" not in workers.said()


async def test_a_shared_camera_that_moves_loses_no_frame(
    workers: Fleet, simulator: Simulator
) -> None:
    a, b = workers.worker(A), workers.worker(B)
    await captured_by(workers, simulator, a)
    times: set[float] = set()

    async def collect() -> None:
        for one in (a, b):
            times.update(await one.frames("lobby"))

    await asyncio.sleep(1)
    workers.assign("lobby", B, MOVED, previous=A)
    async with asyncio.timeout(20):
        while not workers.is_captured("lobby", b, MOVED):
            await collect()
    await workers.until(lambda: workers.stream("lobby").released_epoch == MOVED, "A lets go")
    workers.assign("lobby", B, MOVED)
    await asyncio.sleep(1)
    await collect()
    first, second = simulator.sessions("lobby")
    assert first.closed is not None
    assert second.playing is not None
    assert second.playing < first.closed, "it makes before it breaks"
    assert first.closed - second.opened < 15, "it does not wait out the 30 s that it might"
    assert first.end == "teardown"
    gap = max(after - before for before, after in pairwise(sorted(times)))
    assert gap < 2 / FPS
    assert (await a.live(), set(await b.live())) == ({}, {"lobby"})


async def test_an_exclusive_camera_that_moves_never_has_two_sessions(
    workers: Fleet, simulator: Simulator
) -> None:
    a, b = workers.worker(A), workers.worker(B)
    await captured_by(workers, simulator, a, "Exclusive")
    workers.assign("lobby", B, MOVED, previous=A)
    await workers.until(lambda: workers.stream("lobby").released_epoch == MOVED, "A lets go")
    assert simulator.playing("lobby") == 0
    assert len(simulator.sessions("lobby")) == 1
    workers.assign("lobby", B, MOVED)
    await workers.captured("lobby", b, MOVED)
    first, second = simulator.sessions("lobby")
    assert first.closed is not None
    assert first.closed < second.opened


async def test_a_frozen_worker_that_wakes_closes_exclusive_sessions_first_thing(
    api_server: ApiServer, workers: Fleet, simulator: Simulator
) -> None:
    """By its own clock: it wakes behind a network that tells it nothing."""
    async with proxy(api_server.url) as wire:
        far = workers.kubeconfig.with_name("far.kubeconfig")
        far.write_text(workers.kubeconfig.read_text().replace(api_server.url, wire.url))
        a, b = workers.worker(A, "--kubeconfig", str(far)), workers.worker(B)
        await captured_by(workers, simulator, a, "Exclusive")
        a.program.pause()
        await wire.black_hole()
        frozen = time.time()
        await asyncio.sleep(3.2)  # longer than its Lease
        workers.assign("lobby", B, MOVED)  # as it was lost, nobody is asked to let go
        await workers.captured("lobby", b, MOVED)
        assert simulator.playing("lobby") == 2, "one of them is idle: nobody reads it"
        a.program.resume()
        await workers.until(lambda: simulator.playing("lobby") == 1, "it closes its session")
        first, second = simulator.sessions("lobby")
        assert first.closed is not None
        assert second.closed is None
        held = await a.frames("lobby")
        assert held, "it does not know yet that the camera is another's"
        assert all(at <= frozen + 0.2 for at in held), "it has read nothing since"
        await wire.heal()
        await workers.lives(a, lambda live: not live, 60)
        assert len(simulator.sessions("lobby")) == 2
        assert workers.is_captured("lobby", b, MOVED), "what it says now is refused"


async def test_a_frozen_worker_that_keeps_its_camera_takes_no_frame_between_two_sessions(
    workers: Fleet, simulator: Simulator
) -> None:
    a = workers.worker(A)
    await captured_by(workers, simulator, a, "Exclusive")
    a.program.pause()
    frozen = time.time()
    await asyncio.sleep(3.2)
    a.program.resume()
    await workers.until(lambda: len(simulator.sessions("lobby")) == 2, "it comes back")
    first, second = simulator.sessions("lobby")
    assert first.closed is not None
    assert first.closed < second.opened
    await workers.lives(a, lambda live: live["lobby"].connected)
    times = await a.frames("lobby")
    assert not [at for at in times if frozen + 0.2 < at < second.opened]
    assert [at for at in times if at > second.opened]


async def test_with_the_api_server_away_shared_cameras_go_on_and_exclusive_ones_end_in_time(
    api_server: ApiServer, namespace: str, simulator: Simulator
) -> None:
    async with proxy(api_server.url) as wire, fleet(api_server, namespace, wire.url) as workers:
        a = workers.worker(A, "--lease-duration-seconds", "10")
        await captured_by(workers, simulator, a)
        gate = await simulator.add(simulated("gate"))
        workers.create("gate", rtsp={"url": gate, "session": "Exclusive"})
        workers.assign("gate", A, NEW)
        workers.create("hatch", push={})
        workers.assign("hatch", A, NEW)
        await workers.captured("gate", a, NEW)
        await wire.black_hole()
        await workers.until(lambda: simulator.playing("gate") == 0, "it ends with the Lease", 60)
        (session,) = simulator.sessions("gate")
        assert session.closed is not None
        lease = workers.lease(A)
        assert lease is not None
        assert lease.spec.renew_time is not None
        renewed = datetime.fromisoformat(lease.spec.renew_time).timestamp()
        assert session.closed < renewed + 10, "before the Lease runs out for anybody else"
        await asyncio.sleep(1)
        assert await a.status("/cameras/lobby/frame/latest") == 200
        assert len(simulator.sessions("lobby")) == 1
        assert await a.status("/healthz") == await a.status("/readyz") == 200
        simulator.disconnect("lobby")
        await workers.until(
            lambda: len(simulator.sessions("lobby")) == 2, "a session that broke comes back"
        )
        assert (await a.live())["hatch"].reason == "WaitingForPush"
        await wire.heal()
        await workers.until(lambda: simulator.playing("gate") == 1, "it is its camera still", 30)
        await workers.until(lambda: workers.stream("lobby").sessions == 2, "it is told", 30)


async def test_a_worker_that_was_killed_resumes_what_it_had_with_nobody_else_there(
    workers: Fleet, simulator: Simulator
) -> None:
    a = workers.worker(A)
    await captured_by(workers, simulator, a)
    a.program.kill()
    a.program.start()
    await workers.until(lambda: len(simulator.sessions("lobby")) == 2, "it comes back")
    lease = workers.lease(A)
    assert lease is not None
    assert lease.spec.lease_transitions == 1


async def test_a_worker_that_is_told_to_end_captures_until_its_cameras_were_moved(
    workers: Fleet, simulator: Simulator
) -> None:
    a, b = workers.worker(A, "--drain-seconds", "30"), workers.worker(B)
    await captured_by(workers, simulator, a)
    a.terminate()
    await workers.until(lambda: bool((found := workers.lease(A)) and found.draining), "it drains")
    assert simulator.playing("lobby") == 1
    assert await a.status("/cameras/lobby/frame/latest") == 200
    workers.assign("lobby", B, MOVED, previous=A)
    await workers.captured("lobby", b, MOVED)
    assert await a.ended() == 0
    lease = workers.lease(A)
    assert lease is not None
    assert not lease.spec.holder_identity, "nobody needs to wait for it to run out"
    assert workers.stream("lobby").released_epoch == MOVED


async def test_a_worker_that_nobody_relieves_ends_after_its_time_and_at_once_if_told_twice(
    workers: Fleet, simulator: Simulator
) -> None:
    a, b = (workers.worker(A, "--drain-seconds", "1"), workers.worker(B, "--drain-seconds", "3600"))
    await captured_by(workers, simulator, a)
    await simulator.add(simulated("gate"))
    workers.create("gate", rtsp={"url": simulator.url("gate")})
    workers.assign("gate", B, NEW)
    await workers.captured("gate", b, NEW)
    began = time.monotonic()
    for one in (a, b):
        one.terminate()
    assert await a.ended() == 0
    assert time.monotonic() - began >= 1
    assert b.program.alive
    b.terminate()
    assert await b.ended() == 0
    for name in ("lobby", "gate"):
        assert simulator.sessions(name)[-1].end == "teardown"


async def test_a_worker_that_is_told_to_end_and_has_no_rights_any_more_waits_for_nobody(
    workers: Fleet, simulator: Simulator
) -> None:
    """They go with its pool; and who would move its cameras, with the release."""
    a = workers.worker(A, "--drain-seconds", "3600")
    await captured_by(workers, simulator, a)
    roles = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{workers.namespace}"
    workers.server.admin.delete(f"{roles}/rolebindings/worker")
    a.terminate()
    assert await a.ended() == 0
    assert simulator.sessions("lobby")[-1].end == "teardown"


async def test_of_two_processes_of_one_name_the_later_one_stays(
    workers: Fleet, simulator: Simulator
) -> None:
    first = workers.worker(A)
    await captured_by(workers, simulator, first)
    second = workers.worker(A)
    assert await first.ended() == 1
    assert "was taken by" in first.program.said
    assert "Traceback" not in first.program.said
    await workers.until(lambda: simulator.playing("lobby") == 1, "the later one captures it")
    assert second.program.alive


async def test_a_worker_without_an_api_server_waits_for_one(
    api_server: ApiServer, namespace: str, simulator: Simulator
) -> None:
    async with proxy(api_server.url) as wire, fleet(api_server, namespace, wire.url) as workers:
        await wire.refuse()
        a = workers.worker(A)
        async with asyncio.timeout(15):
            while await a.status("/healthz") != 200:  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0.05)
        assert await a.status("/readyz") == 503
        await wire.heal()
        await captured_by(workers, simulator, a)
        assert await a.status("/readyz") == 200
