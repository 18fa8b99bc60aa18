"""Two worker processes of one name on a real API server: what one camera sees of them.

So it is when a pod is deleted by force on a node that nobody reaches: its StatefulSet makes another
one of the same name, and the first one does not know.
"""

from collections.abc import AsyncIterator
from datetime import datetime
from itertools import pairwise

import pytest

from ingest_core.kube.leases import Holding
from ingest_simulator.camera import SimulatedCamera
from ingest_simulator.simulator import Simulator
from tests.cluster.api_server import ApiServer
from tests.cluster.proxy import Proxy, proxy
from tests.fakes.fleet import Fleet, WorkerProgram, fleet

A, B = "default-0", "default-1"
NEW, MOVED = 11, 12  # epochs
DURATION = 8
LEASE = ("--lease-duration-seconds", f"{DURATION}", "--lease-renew-seconds", "1")


@pytest.fixture
async def workers(api_server: ApiServer, namespace: str) -> AsyncIterator[Fleet]:
    async with fleet(api_server, namespace) as made:
        yield made


def of_pod(workers: Fleet, uid: str, *options: str) -> WorkerProgram:
    return workers.worker(A, "--pod-uid", uid, *LEASE, *options)


def through(workers: Fleet, wire: Proxy) -> str:
    """A kubeconfig that reaches the API server by a wire."""
    path = workers.kubeconfig.with_name(f"{wire.url.rpartition(':')[2]}.kubeconfig")
    path.write_text(workers.kubeconfig.read_text().replace(workers.server.url, wire.url))
    return str(path)


async def captured_by(workers: Fleet, simulator: Simulator, worker: WorkerProgram) -> None:
    """An Exclusive camera."""
    camera = SimulatedCamera(name="lobby", width=160, height=96, fps=10, gop=10, clip_seconds=2)
    url = await simulator.add(camera)
    workers.create("lobby", rtsp={"url": url, "session": "Exclusive"})
    workers.assign("lobby", A, NEW)
    await workers.captured("lobby", worker, NEW)


def holding(workers: Fleet) -> Holding | None:
    lease = workers.lease(A)
    return lease.holding if lease else None


def never_two(simulator: Simulator) -> None:
    """Each session was closed before the next one was opened."""
    sessions = simulator.sessions("lobby")
    for before, after in pairwise(sessions):
        assert before.closed is not None
        assert before.closed < after.opened


async def test_a_pod_that_is_cut_off_and_its_successor_never_read_one_exclusive_camera(
    api_server: ApiServer, workers: Fleet, simulator: Simulator
) -> None:
    async with proxy(api_server.url) as wire, proxy(api_server.url) as other:
        first = of_pod(workers, "one", "--kubeconfig", through(workers, wire))
        await captured_by(workers, simulator, first)
        await other.refuse()
        second = of_pod(workers, "two", "--kubeconfig", through(workers, other))
        await workers.until(lambda: "lease_not_renewed" in second.program.said, "it has started")
        await wire.black_hole()
        await other.heal()
        await workers.until(lambda: "may_live" in second.program.said, "it takes the Lease")
        lease = workers.lease(A)
        assert lease is not None
        assert lease.spec.acquire_time is not None
        taken = datetime.fromisoformat(lease.spec.acquire_time).timestamp()
        assert simulator.playing("lobby") == 1, "the first one reads on"
        await workers.until(lambda: len(simulator.sessions("lobby")) == 2, "it is read again", 30)
        never_two(simulator)
        assert simulator.sessions("lobby")[1].opened >= taken + DURATION
        assert first.program.alive
        await wire.heal()
        assert await first.ended() == 1
        assert second.program.alive
        assert simulator.playing("lobby") == 1


async def test_the_successor_of_a_pod_that_is_cut_off_does_not_give_its_camera_away_too_early(
    api_server: ApiServer, workers: Fleet, simulator: Simulator
) -> None:
    async with proxy(api_server.url) as wire:
        first = of_pod(workers, "one", "--kubeconfig", through(workers, wire))
        await captured_by(workers, simulator, first)
        await wire.black_hole()
        second, other = of_pod(workers, "two"), workers.worker(B)
        await workers.until(lambda: "may_live" in second.program.said, "it takes the Lease")
        workers.assign("lobby", B, MOVED, previous=A)
        await workers.until(
            lambda: workers.stream("lobby").released_epoch == MOVED, "it says that it let go", 30
        )
        assert simulator.playing("lobby") == 0
        workers.assign("lobby", B, MOVED)
        await workers.captured("lobby", other, MOVED)
        never_two(simulator)


async def test_a_process_whose_name_another_one_takes_ends_its_session_and_itself(
    workers: Fleet, simulator: Simulator
) -> None:
    first = of_pod(workers, "one")
    await captured_by(workers, simulator, first)
    second = of_pod(workers, "two")
    assert await first.ended() == 1
    assert simulator.playing("lobby") == 0
    assert "the Lease default-0 was taken by default-0_two_" in first.program.said
    await workers.until(lambda: len(simulator.sessions("lobby")) == 2, "it is read again", 30)
    never_two(simulator)
    assert second.program.alive


async def test_a_container_that_was_killed_reads_its_exclusive_cameras_again_before_its_lease_ends(
    workers: Fleet, simulator: Simulator
) -> None:
    one = of_pod(workers, "one", "--lease-duration-seconds", "120")
    await captured_by(workers, simulator, one)
    await workers.until(lambda: holding(workers) is not None, "it has renewed its Lease")
    before = holding(workers)
    one.program.kill()
    one.program.start()
    await workers.until(lambda: len(simulator.sessions("lobby")) == 2, "it comes back", 60)
    never_two(simulator)
    assert "may_live" not in one.program.said
    after = holding(workers)
    assert before is not None
    assert after is not None
    assert after.since == before.since, "its term goes on"
