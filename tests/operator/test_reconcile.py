"""The one loop: it looks when there is something to see, and what it began it brings to an end."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from ingest_core.errors import ApiForbidden, ApiUnavailable, LeaseLost
from ingest_core.kube.client import Call
from ingest_core.kube.resources import CAMERAS, LEASES, POOLS, STATEFUL_SETS
from ingest_core.names import OPERATOR_LEASE
from ingest_operator.cluster import Kind
from ingest_operator.reconcile import SETTLE_SECONDS, WRITES
from tests.fakes.memory_api import MemoryServer, put_camera, put_lease, put_pool
from tests.fakes.operator_parts import Fleet, Operator, until
from tests.fakes.virtual_time import in_virtual_time


@asynccontextmanager
async def operating(
    *workers: str, **spec: Any
) -> AsyncIterator[tuple[MemoryServer, Operator, Fleet]]:
    """A pool, its workers and an operator that leads; the pool's loads are not evened out."""
    server = MemoryServer()
    rebalance = spec.pop("rebalance", {"maxMovesPerMinute": 0})
    put_pool(server, replicas=len(workers), rebalance=rebalance, **spec)
    operator, fleet = Operator(server), Fleet(server, *workers)
    async with asyncio.TaskGroup() as tasks:
        renewing = tasks.create_task(fleet.run())
        await asyncio.sleep(0)
        async with operator.running():
            await until(lambda: operator.count("reconcile_seconds_count"))
            yield server, operator, fleet
        renewing.cancel()


def assignment(server: MemoryServer, name: str = "lobby") -> Any:
    found = server.find(CAMERAS, name)
    return (found or {}).get("status", {}).get("assignment", {})


def worker_of(server: MemoryServer, name: str = "lobby") -> Any:
    return assignment(server, name).get("worker")


def passes(operator: Operator) -> float:
    return operator.count("reconcile_seconds_count")


@in_virtual_time
async def test_a_camera_that_is_applied_is_assigned() -> None:
    async with operating("default-0") as (server, operator, _):
        began = asyncio.get_running_loop().time()
        put_camera(server, "lobby")
        await until(lambda: worker_of(server) == "default-0")
        assert asyncio.get_running_loop().time() - began < 0.5
        assert operator.count("camera_moves_total", reason="new") == 1
        assert operator.count("operator_leader") == 1


@in_virtual_time
async def test_what_comes_together_is_looked_at_together() -> None:
    async with operating("default-0", "default-1") as (server, operator, _):
        await asyncio.sleep(SETTLE_SECONDS * 5)
        before = passes(operator)
        for number in range(20):
            put_camera(server, f"c{number}", weight=10)
        await until(lambda: all(worker_of(server, f"c{n}") for n in range(20)))
        await asyncio.sleep(1)
        # The first of them, the rest of them, and what the answers said.
        assert passes(operator) - before <= 3


@in_virtual_time
async def test_a_write_is_known_before_the_watch_tells_of_it() -> None:
    async with operating("default-0", worker={"weightCapacity": 100}) as (server, operator, _):
        operator.blind.add(Kind.CAMERA)
        for name in ("a", "b"):
            operator.cluster.see(Kind.CAMERA, put_camera(server, name))
        await until(lambda: worker_of(server, "a") and operator.cluster.cameras["b"].assigned)
        await asyncio.sleep(60)
        assert operator.cluster.cameras["a"].worker == "default-0"
        assert len(operator.api.calls("patch", "cameras/status")) == 3  # and Ready of b


@in_virtual_time
async def test_a_quiet_cluster_costs_nothing_but_leases() -> None:
    async with operating("default-0", "default-1") as (server, operator, _):
        put_camera(server, "lobby")
        put_camera(server, "heavy", weight=5000)
        await asyncio.sleep(10)
        operator.api.asked.clear()
        before = passes(operator)
        await asyncio.sleep(250)
        assert {call.label for call in operator.api.asked} == {"leases"}
        assert passes(operator) == before


@in_virtual_time
async def test_a_lost_worker_is_noticed_when_its_lease_runs_out_though_nothing_tells() -> None:
    async with operating("default-0", "default-1") as (server, _, fleet):
        put_camera(server, "lobby")
        await until(lambda: worker_of(server) == "default-0")
        fleet.alive.remove("default-0")
        began = asyncio.get_running_loop().time()
        await until(lambda: worker_of(server) == "default-1")
        assert 7 < asyncio.get_running_loop().time() - began < 10.1
        assert "previous" not in assignment(server)


@in_virtual_time
async def test_a_worker_that_is_lost_while_a_pass_is_written_is_noticed_after_it() -> None:
    async with operating("default-0", "default-1") as (server, operator, fleet):
        put_camera(server, "lobby")
        await until(lambda: worker_of(server) == "default-0")

        async def slow(call: Call) -> None:
            if call.label == "statefulsets":
                fleet.alive.discard("default-0")
                await asyncio.sleep(11)

        operator.api.before = slow
        operator.resynced()
        await until(lambda: worker_of(server) == "default-1", seconds=15)


@in_virtual_time
async def test_a_worker_that_comes_back_in_time_keeps_its_cameras() -> None:
    async with operating("default-0", "default-1") as (server, operator, fleet):
        put_camera(server, "lobby")
        await until(lambda: worker_of(server) == "default-0")
        before = assignment(server)
        fleet.alive.remove("default-0")
        await asyncio.sleep(6)
        put_lease(server, "default-0", "again", holder="its next start")
        fleet.alive.add("default-0")
        await asyncio.sleep(60)
        assert assignment(server) == before
        assert operator.count("camera_moves_total", reason="worker_lost") == 0


@in_virtual_time
async def test_a_worker_that_comes_back_does_not_lose_an_exclusive_camera_to_a_late_write() -> None:
    """It captures it again by then: what was decided while it was lost must not come any more."""
    async with operating("default-0", "default-1") as (server, operator, fleet):
        put_camera(server, "lobby", exclusive=True)
        await until(lambda: worker_of(server) == "default-0")
        before = assignment(server)
        under_way = asyncio.Event()

        async def overloaded(call: Call) -> None:
            if call.label == "cameras/status":
                under_way.set()
                await asyncio.sleep(8)

        operator.api.before = overloaded
        fleet.alive.remove("default-0")
        await under_way.wait()
        fleet.alive.add("default-0")
        put_lease(server, "default-0", "back")
        await asyncio.sleep(60)
        assert assignment(server) == before


@in_virtual_time
async def test_a_lease_that_is_deleted_by_hand_costs_no_camera_while_its_worker_lives() -> None:
    async with operating("default-0", "default-1") as (server, operator, fleet):
        put_camera(server, "lobby", exclusive=True)
        await until(lambda: worker_of(server) == "default-0")
        before = assignment(server)
        server.drop(LEASES, "default-0")
        await asyncio.sleep(60)
        assert assignment(server) == before
        fleet.alive.remove("default-0")
        server.drop(LEASES, "default-0")
        began = asyncio.get_running_loop().time()
        await until(lambda: worker_of(server) == "default-1")
        assert 7 < asyncio.get_running_loop().time() - began < 10.1
        await until(lambda: "default-0" not in operator.cluster.leases, seconds=5)


@in_virtual_time
async def test_an_outage_of_the_api_server_is_no_loss_of_its_workers() -> None:
    async with operating("default-0", "default-1") as (server, operator, fleet):
        for number in range(6):
            put_camera(server, f"c{number}")
        await until(lambda: all(worker_of(server, f"c{n}") for n in range(6)))
        before = [assignment(server, f"c{number}") for number in range(6)]
        alive, fleet.alive = fleet.alive, set()
        operator.api.before = unavailable
        await asyncio.sleep(120)
        operator.api.before = available
        await asyncio.sleep(2)
        for worker in sorted(alive):  # the watch comes back, and tells of one after the other
            put_lease(server, worker, "back")
            await asyncio.sleep(0.5)
        fleet.alive = alive
        await asyncio.sleep(60)
        assert [assignment(server, f"c{number}") for number in range(6)] == before


@in_virtual_time
async def test_a_watch_of_leases_that_broke_is_no_loss_of_the_workers() -> None:
    """Kopf may need seconds to come back after an outage, while other calls are answered."""
    async with operating("default-0", "default-1") as (server, operator, fleet):
        for number in range(6):
            put_camera(server, f"c{number}")
        await until(lambda: all(worker_of(server, f"c{n}") for n in range(6)))
        before = [assignment(server, f"c{number}") for number in range(6)]
        operator.blind.add(Kind.LEASE)
        await asyncio.sleep(30)
        put_camera(server, "more")
        await until(lambda: worker_of(server, "more"))
        alive, fleet.alive = fleet.alive, set()
        await asyncio.sleep(5)
        operator.blind.clear()
        for worker in sorted(alive):
            put_lease(server, worker, "back")
            await asyncio.sleep(0.5)
        fleet.alive = alive
        await asyncio.sleep(60)
        assert [assignment(server, f"c{number}") for number in range(6)] == before


async def unavailable(_call: Call) -> None:
    raise ApiUnavailable("the API server is away")


async def available(_call: Call) -> None:
    pass


@in_virtual_time
async def test_a_pass_writes_only_so_many_and_then_looks_again() -> None:
    """A worker that is lost meanwhile does not wait until thousands of new cameras are done."""
    many = {"weightCapacity": 256000, "maxCameras": 1000}
    async with operating("default-0", "default-1", "default-2", worker=many) as parts:
        server, operator, _ = parts
        put_camera(server, "lobby", weight=10)
        await until(lambda: worker_of(server) == "default-0")
        operator.blind.add(Kind.CAMERA)  # one list brings them all
        for number in range(2 * WRITES + 1):
            put_camera(server, f"c{number:04}", weight=1)
        operator.api.asked.clear()
        operator.blind.clear()

        async def lose(call: Call) -> None:
            if call.name == "c0000":
                put_lease(server, "default-0", "over", holder=None)

        operator.api.before = lose
        await operator.sweeper.begin()
        await until(lambda: worker_of(server, f"c{2 * WRITES:04}"))
        written = [call.name for call in operator.api.calls("patch", "cameras/status")]
        assert written.index("lobby") in range(WRITES, 2 * WRITES)
        assert len(set(written)) == 2 * WRITES + 2


@in_virtual_time
async def test_what_the_server_did_not_answer_is_tried_again() -> None:
    async with operating("default-0") as (server, operator, _):
        operator.api.before = unavailable
        put_camera(server, "lobby")
        await asyncio.sleep(3.3)
        assert worker_of(server) is None
        assert operator.count("reconcile_errors_total", resource="cameras") == 4
        operator.api.before = available
        await until(lambda: worker_of(server), seconds=1.5)


@pytest.mark.parametrize(
    ("failing", "error"),
    [
        ("statefulsets", ApiUnavailable("the API server answered 500: failed calling webhook")),
        ("roles", ApiForbidden(403, "Forbidden", "roles is forbidden")),
        ("camerapools/status", ApiUnavailable("the API server answered 500")),
    ],
)
def test_what_fails_of_a_pool_is_no_matter_of_its_cameras(failing: str, error: Exception) -> None:
    @in_virtual_time
    async def fail_over() -> None:
        async with operating("default-0", "default-1") as (server, operator, fleet):
            put_camera(server, "lobby")
            await until(lambda: worker_of(server) == "default-0")

            async def fail(call: Call) -> None:
                if call.label == failing:
                    raise error

            operator.api.before = fail
            operator.resynced()
            put_camera(server, "new")
            await until(lambda: worker_of(server, "new") == "default-1", seconds=0.5)
            await asyncio.sleep(30)
            fleet.alive.remove("default-0")
            await until(lambda: worker_of(server) == "default-1", seconds=10.1)
            operator.api.asked.clear()
            await asyncio.sleep(240)
            assert len([one for one in operator.api.asked if one.label == failing]) < 20, "it rests"

    fail_over()


@in_virtual_time
async def test_a_failover_does_not_wait_for_what_a_pool_is_made_of() -> None:
    async with operating("default-0", "default-1") as (server, operator, fleet):
        put_camera(server, "lobby")
        await until(lambda: worker_of(server) == "default-0")

        async def hang(call: Call) -> None:
            if call.label == "serviceaccounts":
                await asyncio.sleep(10)

        await asyncio.sleep(1)  # nothing is left to look at until the worker is lost
        operator.api.before = hang
        operator.pools.forget()
        fleet.alive.remove("default-0")
        await until(lambda: worker_of(server) == "default-1", seconds=10.1)


@in_virtual_time
async def test_a_pool_allows_a_secret_before_its_worker_gets_the_camera() -> None:
    async with operating("default-0") as (server, operator, _):
        operator.api.asked.clear()
        login = {"url": "rtsp://camera.example/", "credentialsSecretRef": {"name": "login"}}
        put_camera(server, "lobby", source={"rtsp": login})
        await until(lambda: worker_of(server))
        asked = [call.label for call in operator.api.asked if call.verb == "patch"]
        assert asked[:2] == ["roles", "cameras/status"]


@in_virtual_time
async def test_a_camera_that_is_not_answered_is_no_matter_of_the_pools() -> None:
    async with operating("default-0") as (server, operator, _):

        async def fail(call: Call) -> None:
            if call.label == "cameras/status":
                raise ApiUnavailable("the API server answered 500: failed calling webhook")

        operator.api.before = fail
        put_camera(server, "lobby")
        put_pool(server, replicas=3)
        await until(lambda: server.find(STATEFUL_SETS, "default")["spec"]["replicas"] == 3)


@in_virtual_time
async def test_a_write_whose_answer_was_lost_is_not_done_twice() -> None:
    async with operating("default-0", "default-1") as (server, operator, _):

        async def lose(call: Call) -> None:
            if call.label == "cameras/status":
                operator.api.after = available
                raise ApiUnavailable("the connection broke")

        operator.api.after = lose
        put_camera(server, "lobby")
        await until(lambda: worker_of(server))
        first = assignment(server)["epoch"]
        await asyncio.sleep(60)
        assert assignment(server)["epoch"] == first


@in_virtual_time
async def test_what_is_refused_for_ever_is_tried_ever_more_rarely_and_holds_nobody_up() -> None:
    async with operating("default-0", "default-1") as (server, operator, fleet):
        put_camera(server, "fine")
        await until(lambda: worker_of(server, "fine"))

        async def refuse(call: Call) -> None:
            if call.name == "lobby":
                raise ApiForbidden(403, "Forbidden", "a policy says no")

        operator.api.before = refuse
        operator.api.asked.clear()
        put_camera(server, "lobby")
        await asyncio.sleep(600)
        assert 10 < len(operator.api.calls("patch", "cameras/status")) < 20
        fleet.alive.remove(worker_of(server, "fine"))
        before = worker_of(server, "fine")
        await until(lambda: worker_of(server, "fine") != before, seconds=10.1)
        operator.api.before = available
        await until(lambda: worker_of(server), seconds=61)


@in_virtual_time
async def test_what_is_refused_is_tried_at_once_when_it_is_changed() -> None:
    async with operating("default-0") as (server, operator, _):

        async def refuse(call: Call) -> None:
            if call.name == "lobby" and server.find(CAMERAS, "lobby")["spec"].get("weight") != 10:
                raise ApiForbidden(403, "Forbidden", "a policy wants it light")

        operator.api.before = refuse
        put_camera(server, "lobby")
        await asyncio.sleep(300)
        assert worker_of(server) is None
        put_camera(server, "lobby", weight=10)
        await until(lambda: worker_of(server), seconds=0.5)


@in_virtual_time
async def test_a_camera_that_cannot_be_read_any_more_is_left_alone_and_costs_nothing() -> None:
    """Its CRD is of a newer release. What it has there, it has; what it should have, who knows?"""
    async with operating("default-0", "default-1", "default-2") as (server, operator, fleet):
        put_camera(server, "lobby")
        await until(lambda: worker_of(server) == "default-0")
        put_camera(server, "other")
        await until(lambda: worker_of(server, "other") == "default-1")
        put_camera(server, "lobby", weight="200m")
        fleet.alive -= {"default-0", "default-1"}
        await until(lambda: worker_of(server, "other") == "default-2")
        operator.api.asked.clear()
        await asyncio.sleep(60)
        assert operator.api.calls("patch", "cameras/status") == []
        assert worker_of(server) == "default-0"
        put_camera(server, "lobby", weight=200)
        await until(lambda: worker_of(server) == "default-2", seconds=0.5)


@in_virtual_time
async def test_hundreds_of_refused_cameras_starve_neither_the_others_nor_their_pool() -> None:
    many = {"weightCapacity": 256000, "maxCameras": 1000}
    refused, others = WRITES + 100, 100
    async with operating("default-0", worker=many) as (server, operator, _):
        operator.blind.add(Kind.CAMERA)
        for number in range(refused):
            put_camera(server, f"a{number:04}", weight=2)  # heavier: the first of each plan
        for number in range(others):
            put_camera(server, f"b{number:04}", weight=1)
        operator.blind.clear()

        async def refuse(call: Call) -> None:
            if call.name.startswith("a"):
                raise ApiForbidden(403, "Forbidden", "a policy says no")

        operator.api.before = refuse
        await operator.sweeper.begin()
        await until(
            lambda: all(worker_of(server, f"b{number:04}") for number in range(others)), seconds=5
        )
        await until(
            lambda: server.find(POOLS, "default")["status"]["cameras"] == refused + others,
            seconds=1,
        )
        operator.api.asked.clear()
        put_camera(server, "new", weight=1)
        await until(lambda: worker_of(server, "new"), seconds=1)
        await asyncio.sleep(300)
        assert len(operator.api.calls("patch", "cameras/status")) < 12 * refused
        operator.api.before = available
        await until(
            lambda: all(worker_of(server, f"a{number:04}") for number in range(refused)),
            seconds=65,
        )


@in_virtual_time
async def test_what_was_moved_before_a_pass_was_cut_short_counts() -> None:
    """For the metrics, and for how many cameras may be moved in a minute."""
    many = {"weightCapacity": 1000, "maxCameras": 1000}
    rebalance = {"maxMovesPerMinute": 4, "skewPercent": 1}
    async with operating("default-0", rebalance=rebalance, worker=many) as parts:
        server, operator, fleet = parts
        for number in range(20):
            put_camera(server, f"c{number:02}", weight=10)
        await until(lambda: operator.count("camera_moves_total", reason="new") == 20)
        moved = 0

        async def cut(call: Call) -> None:
            nonlocal moved
            if call.label == "cameras/status":
                moved += 1
                if moved == 4:
                    raise ApiUnavailable("the connection broke")

        operator.api.before = cut
        put_pool(server, replicas=2, rebalance=rebalance, worker=many)
        fleet.alive.add("default-1")
        await until(lambda: moved >= 4)
        await asyncio.sleep(30)
        assert operator.count("camera_moves_total", reason="rebalance") == 4


@in_virtual_time
async def test_what_was_changed_meanwhile_is_planned_anew_at_once() -> None:
    async with operating("default-0") as (server, operator, _):

        async def change(call: Call) -> None:
            if call.name == "lobby":
                operator.api.before = available
                server.put(CAMERAS, "lobby", metadata={"labels": {"changed": "meanwhile"}})

        operator.api.before = change
        operator.blind.add(Kind.CAMERA)
        operator.cluster.see(Kind.CAMERA, put_camera(server, "lobby"))
        await until(lambda: worker_of(server), seconds=0.5)


@in_virtual_time
async def test_without_a_lease_that_holds_nothing_is_written() -> None:
    async with operating("default-0") as (server, operator, _):

        async def partitioned(call: Call) -> None:
            if call.resource is LEASES:
                raise ApiUnavailable("the API server is away")

        operator.api.before = partitioned
        await asyncio.sleep(8)
        put_camera(server, "lobby")
        await asyncio.sleep(30)
        assert worker_of(server) is None
        operator.api.before = available
        await until(lambda: worker_of(server), seconds=2)


@in_virtual_time
async def test_an_operator_whose_lease_another_one_took_ends() -> None:
    async def overthrown() -> None:
        async with operating("default-0") as (server, _, _fleet):
            spec = server.find(LEASES, OPERATOR_LEASE)["spec"]
            server.put(LEASES, OPERATOR_LEASE, spec={**spec, "holderIdentity": "two"})
            await asyncio.sleep(60)

    with pytest.raises(ExceptionGroup) as ended:
        await overthrown()
    assert ended.group_contains(LeaseLost)


@in_virtual_time
async def test_the_standby_takes_over_when_the_leader_is_silent_and_goes_on_where_it_was() -> None:
    async with operating("default-0", "default-1") as (server, leader, _):
        put_camera(server, "lobby")
        await until(lambda: worker_of(server))
        before = assignment(server)
        standby = Operator(server, "two")
        async with standby.running():
            await asyncio.sleep(30)
            assert not standby.lease.held.is_set()
            leader.api.before = unavailable
            began = asyncio.get_running_loop().time()
            put_camera(server, "gate")
            await until(lambda: worker_of(server, "gate"))
            assert asyncio.get_running_loop().time() - began < 11
            assert assignment(server) == before
            leader.lease.held.clear()  # it would end with LeaseLost, which is not the point here


@in_virtual_time
async def test_scale_in_drains_first_and_takes_workers_away_then() -> None:
    async with operating("default-0", "default-1", "default-2") as (server, operator, _):
        for number in range(3):
            put_camera(server, f"c{number}")
        await until(lambda: worker_of(server, "c2"))
        put_pool(server, replicas=1, rebalance={"maxMovesPerMinute": 0})
        await until(lambda: all(worker_of(server, f"c{n}") == "default-0" for n in range(3)))
        assert server.find(STATEFUL_SETS, "default")["spec"]["replicas"] == 3
        for number in (1, 2):
            epoch = assignment(server, f"c{number}")["epoch"]
            release(server, f"c{number}", epoch)
            left = 3 - number if number == 2 else 3
            await asyncio.sleep(1)
            assert server.find(STATEFUL_SETS, "default")["spec"]["replicas"] == left
        assert operator.count("camera_moves_total", reason="drain") == 2


def release(server: MemoryServer, name: str, epoch: int) -> None:
    status = server.find(CAMERAS, name)["status"]
    stream = {**status.get("stream", {}), "releasedEpoch": epoch}
    server.put(CAMERAS, name, status={**status, "stream": stream})


@in_virtual_time
async def test_loads_are_evened_out_so_fast_and_no_faster() -> None:
    rule = {"maxMovesPerMinute": 2, "skewPercent": 10}
    async with operating("default-0", rebalance=rule) as (server, operator, fleet):
        for number in range(8):
            put_camera(server, f"c{number}")
        await until(lambda: worker_of(server, "c7"))
        put_pool(server, replicas=2, rebalance=rule)
        fleet.alive.add("default-1")
        put_lease(server, "default-1", "first")
        await until(lambda: operator.count("camera_moves_total", reason="rebalance") == 2)
        began = asyncio.get_running_loop().time()
        settle(server)
        await asyncio.sleep(55)
        assert operator.count("camera_moves_total", reason="rebalance") == 2
        await until(lambda: operator.count("camera_moves_total", reason="rebalance") == 4)
        assert asyncio.get_running_loop().time() - began < 61
        settle(server)
        await asyncio.sleep(200)
        assert operator.count("camera_moves_total", reason="rebalance") == 4


def settle(server: MemoryServer) -> None:
    """Every previous worker lets go."""
    for one in server.every(CAMERAS):
        found = one["status"]["assignment"]
        if "previous" in found:
            release(server, one["metadata"]["name"], found["epoch"])


@in_virtual_time
async def test_a_pool_that_is_deleted_leaves_nothing_to_look_at_for_ever() -> None:
    rule = {"maxMovesPerMinute": 2, "skewPercent": 10}
    async with operating("default-0", rebalance=rule) as (server, operator, fleet):
        for number in range(8):
            put_camera(server, f"c{number}")
        await until(lambda: worker_of(server, "c7"))
        put_pool(server, replicas=2, rebalance=rule)
        fleet.alive.add("default-1")
        await until(lambda: operator.count("camera_moves_total", reason="rebalance") == 2)
        server.drop(POOLS, "default")
        await until(lambda: not any(worker_of(server, f"c{n}") for n in range(8)))
        await asyncio.sleep(90)
        before = passes(operator)
        await asyncio.sleep(300)
        assert passes(operator) - before <= 2  # that of the resync


@in_virtual_time
async def test_of_two_cameras_with_one_id_one_is_captured_and_the_other_scales_nothing() -> None:
    scaling = {"maxReplicas": 9, "targetUtilizationPercent": 80}
    async with operating("default-0", "default-1", autoscaling=scaling) as (server, operator, _):
        for name in ("a", "b"):
            put_camera(server, name, cameraId="door", weight=800)
        await until(lambda: worker_of(server, "a") and operator.cluster.cameras["b"].refused)
        await until(lambda: operator.reconciler.observe()[0] == {"default": 1})
        server.drop(CAMERAS, "a")
        gone = server.version
        await until(lambda: worker_of(server, "b") is not None)
        assert assignment(server, "b")["epoch"] >= gone, "above all that a had"
        assert operator.reconciler.observe()[0] == {"default": 1}
