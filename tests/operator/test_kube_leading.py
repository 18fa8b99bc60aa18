"""Operators as processes on a real API server: one leads, and each finds what is there."""

import asyncio
import time
from functools import partial
from typing import Any

from ingest_core.kube.resources import LEASES
from ingest_core.names import OPERATOR_LEASE
from tests.cluster.api_server import ApiServer
from tests.cluster.proxy import proxy
from tests.fakes.operated import Operated

# One leads


async def test_when_the_leader_is_killed_the_other_one_takes_over(here: Operated) -> None:
    await here.pool(replicas=1)
    await here.worker("default-0")
    leader, standby = await here.two_operators()
    await here.camera("before")
    await here.assigned("before", "default-0")
    assert (await leader.leads(), await standby.leads()) == (True, False)
    leader.program.kill()
    await here.camera("after")
    await here.assigned("after", "default-0", seconds=60)
    assert await standby.leads()


async def test_a_leader_that_is_told_to_end_lets_the_other_one_lead_at_once(
    here: Operated,
) -> None:
    await here.pool(replicas=1)
    await here.worker("default-0")
    leader = await here.operator("--lease-duration-seconds", "60", "--lease-renew-seconds", "20")
    await here.camera("before")
    await here.assigned("before", "default-0")
    await here.operator()
    leader.terminate()
    assert await leader.ended() == 0
    await here.camera("after")
    await here.assigned("after", "default-0", seconds=30)  # half of what its Lease had left


async def test_a_leader_that_was_frozen_in_mid_pass_writes_nothing_when_it_wakes_and_begins_anew(
    api_server: ApiServer, here: Operated
) -> None:
    """Nothing that the other one wrote is undone: the history of `here` is looked at in the end."""
    many = 300  # of which 32 are written at once: so a pass takes ten times as long as a write
    big = {"weightCapacity": 256000, "maxCameras": 1000}
    async with proxy(api_server.url) as wire:
        await here.many(many, weight=1)
        for number in range(3):
            await here.worker(f"default-{number}", mute=True)
        leader, standby = await here.two_operators(wire.url)
        await wire.delay(0.2)
        await here.pool(replicas=3, worker=big)
        await here.until(lambda: any(map(here.worker_of, here.cameras.cameras)), "it writes")
        leader.program.pause()
        some = sum(here.worker_of(name) is not None for name in here.cameras.cameras)
        assert 0 < some < many, "it was in mid-pass"
        await wire.heal()
        await here.until(
            lambda: all(map(here.worker_of, here.cameras.cameras)), "the other one takes over", 60
        )
        assert await standby.leads()
        woken = api_server.audit.position()
        leader.program.resume()
        await here.eventually(leader.began_anew, "it ended, and stands by", 60)
        said = [one for one in leader.requests(woken) if one.verb not in ("get", "list", "watch")]
        assert not [one for one in said if one.code < 300], said
        lease = await here.find(LEASES, OPERATOR_LEASE)
        assert lease["spec"]["holderIdentity"].startswith(f"{standby.identity.name}_")
        standby.program.kill()  # before its wire ends


async def test_a_leader_that_is_told_to_end_as_it_loses_its_lease_ends(here: Operated) -> None:
    leader, standby = await here.two_operators()
    leader.program.pause()
    await here.eventually(standby.leads, "the other one takes over", 60)
    leader.terminate()
    leader.program.resume()
    assert await leader.ended() == 0


async def test_a_leader_whose_lease_has_run_out_does_not_call_itself_one(here: Operated) -> None:
    operator = await here.operator()
    await here.eventually(operator.leads, "it leads")
    here.server.pause()

    async def does_not_lead() -> bool:
        return await operator.get("/healthz") == (200, "ok\n") and not await operator.leads()

    try:
        await here.eventually(does_not_lead, "it cannot renew its Lease")
    finally:
        here.server.resume()
    await here.eventually(operator.leads, "it leads again")


# Beginnings and outages


async def test_an_operator_that_starts_finds_what_is_there(here: Operated) -> None:
    """Two hundred Cameras, of which some have a worker that lives and some one that does not."""
    await here.many(200, weight=1)
    await here.pool(replicas=2)
    await here.worker("default-0", mute=True)
    first = await here.operator()
    await here.until(
        lambda: sum(here.worker_of(name) is not None for name in here.cameras.cameras) == 100,
        "as many as one worker takes",
    )
    first.program.kill()
    before = {name: one.status.assignment for name, one in here.cameras.cameras.items()}
    await here.worker("default-1", mute=True)
    operator = await here.operator()
    await here.until(lambda: all(map(here.worker_of, here.cameras.cameras)), "all are placed")
    for name, assignment in before.items():
        if assignment is not None and assignment.worker is not None:
            assert here.cameras.cameras[name].status.assignment == assignment
    moves = partial(operator.sample, 'camera_ingest_camera_moves_total{reason="new"}')
    # Moves are counted when their pass ends, which is after the last write is seen.
    await here.eventually(moves, "the moves are counted")
    assert await moves() == 100


async def test_an_outage_of_the_api_server_moves_nothing(here: Operated) -> None:
    seconds = 5
    await here.pool(replicas=2)
    for number in range(2):
        await here.worker(f"default-{number}", duration=seconds)
    operator = await here.operator()
    await here.eventually(partial(operator.knows, 2), "it knows both")
    await here.many(6)
    await here.until(
        lambda: len(here.cameras.cameras) == 6 and all(map(here.worker_of, here.cameras.cameras)),
        "all are placed",
    )
    before = said(here)
    here.server.kill()
    began = time.monotonic()
    await asyncio.sleep(seconds)  # and some more until it is ready
    await asyncio.to_thread(here.server.restart)
    assert time.monotonic() - began > seconds, "longer than a worker's Lease counts"
    await here.camera("after")
    await here.until(lambda: here.worker_of("after") is not None, "it places again", 30)
    assert operator.program.alive
    assert {name: one for name, one in said(here).items() if name in before} == before


def said(here: Operated) -> dict[str, Any]:
    """What the operator says of each Camera, and since when."""
    return {
        name: (one.status.assignment, here.condition(name))
        for name, one in here.cameras.cameras.items()
    }


async def test_it_tells_how_it_is(here: Operated) -> None:
    operator = await here.operator()
    assert await operator.get("/healthz") == (200, "ok\n")
    assert (await operator.get("/readyz"))[0] == 200
    await here.pool(replicas=1)
    await here.worker("default-0")
    await here.eventually(partial(operator.knows, 1), "it knows the worker")
    await here.camera("lobby")
    await here.assigned("lobby", "default-0")
    for series, value in {
        "camera_ingest_operator_leader": 1,
        'camera_ingest_camera_moves_total{reason="new"}': 1,
        'camera_ingest_workers{pool="default",state="open"}': 1,
        'camera_ingest_cameras{pool="default",reason="Unknown"}': 1,
    }.items():
        await here.eventually(partial(operator.shows, series, value), f"{series} is {value}")
    _, body = await operator.get("/metrics")
    for name in ("reconcile_seconds_count", "plan_seconds_count", "kube_requests_total"):
        assert f"camera_ingest_{name}" in body
    status, body = await operator.get("/nothing")
    assert status == 404
    assert "application/problem+json" not in body
    assert '"status":404' in body.replace(" ", "")


async def test_it_is_not_ready_before_it_has_read_the_cluster(here: Operated) -> None:
    operator = await here.operator()
    operator.program.kill()
    here.server.pause()
    operator.program.start()

    async def lives() -> bool:
        return await operator.get("/healthz") == (200, "ok\n")

    await here.eventually(lives, "it lives")
    status, body = await operator.get("/readyz")
    assert (status, "has not been read" in body) == (503, True)
    here.server.resume()

    async def ready() -> bool:
        return await operator.get("/readyz") == (200, "ok\n")

    await here.eventually(ready, "it is ready")
