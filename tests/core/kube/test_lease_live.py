"""A Lease on the real API server: kept, said on, lost, let go; and a server that freezes."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from ingest_core.errors import LeaseLost
from ingest_core.kube.client import Api
from ingest_core.kube.lease import FENCE, LeaseHolder
from ingest_core.kube.resources import LEASES
from tests.cluster.api_server import ApiServer
from tests.cluster.client import Client
from tests.cluster.plugin import Kubectl

NAME = "operator"
DURATION = 2
RENEW = 0.2


class Holder(LeaseHolder):
    """One that tells of its renewals."""

    told: asyncio.Event

    def _hold(self, sent: float) -> None:
        super()._hold(sent)
        self.told.set()


def holder(api: Api, identity: str, *, patient: bool = True) -> Holder:
    made = Holder(
        api,
        NAME,
        identity,
        duration=DURATION,
        renew=RENEW,
        manager="test",
        patient=patient,
        labels={"app": "camera-ingest"},
    )
    made.told = asyncio.Event()
    return made


@asynccontextmanager
async def running(one: LeaseHolder) -> AsyncIterator["asyncio.Task[Any]"]:
    """To the end of the block, where it crashes."""
    task = asyncio.create_task(one.run())
    try:
        yield task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, LeaseLost):
            await task


async def renewed(one: Holder) -> None:
    """Wait for a renewal that was sent from now on."""
    began = asyncio.get_running_loop().time()
    async with asyncio.timeout(30):
        while one.renewed < began:
            one.told.clear()
            await one.told.wait()


def lease(admin: Client, api: Api) -> Any:
    return admin.get(LEASES.path(api.namespace, NAME))


async def test_it_is_made_renewed_said_on_and_let_go(
    near: Api, admin: Client, kubectl: Kubectl
) -> None:
    one = holder(near, "one")
    async with running(one):
        await renewed(one)
        first = lease(admin, near)
        assert first["spec"]["holderIdentity"] == "one"
        assert first["metadata"]["labels"] == {"app": "camera-ingest"}
        await asyncio.to_thread(kubectl, "label", "lease", NAME, "by=a-person")
        one.annotate("camera-ingest.io/draining", "true")
        await renewed(one)
        await renewed(one)
        last = lease(admin, near)
        assert last["metadata"]["annotations"] == {"camera-ingest.io/draining": "true"}
        assert last["metadata"]["labels"] == {"app": "camera-ingest", "by": "a-person"}
        assert last["spec"]["renewTime"] > first["spec"]["renewTime"]
        assert last["spec"]["acquireTime"] == first["spec"]["acquireTime"]
        assert last["spec"]["leaseTransitions"] == 0
    await one.release()
    assert "holderIdentity" not in lease(admin, near)["spec"]
    two = holder(near, "two")
    async with running(two):
        await asyncio.wait_for(two.held.wait(), DURATION / 2)
        assert lease(admin, near)["spec"]["leaseTransitions"] == 1


async def test_a_candidate_gets_in_when_the_holder_has_run_out_and_not_before(near: Api) -> None:
    one, two = holder(near, "one"), holder(near, "two")
    async with running(one):
        await renewed(one)
    async with running(two):
        now = asyncio.get_running_loop().time
        await asyncio.wait_for(two.held.wait(), 30)
        assert now() - one.renewed >= DURATION
        assert not one.holds


async def test_one_that_is_deleted_is_made_anew_and_one_that_is_taken_is_lost(
    near: Api, admin: Client
) -> None:
    one = holder(near, "one")
    async with running(one) as task:
        await renewed(one)
        first = lease(admin, near)["metadata"]["uid"]
        admin.delete(LEASES.path(near.namespace, NAME))
        await renewed(one)
        await renewed(one)
        assert lease(admin, near)["metadata"]["uid"] != first
        async with running(holder(near, "two", patient=False)):
            with pytest.raises(LeaseLost, match="taken by two"):
                await asyncio.wait_for(task, 30)
        assert not one.holds


async def test_while_the_server_is_frozen_it_ends_at_the_fence_and_then_goes_on(
    near: Api, api_server: ApiServer
) -> None:
    one = holder(near, "one")
    now = asyncio.get_running_loop().time
    async with running(one):
        await renewed(one)
        api_server.pause()
        term = one.term
        seen = [one.holds]
        await asyncio.sleep(max(0.0, one.until - now()) + 0.3)  # one may be on its way
        seen.append(one.holds)
        assert one.until <= one.renewed + FENCE * DURATION
        api_server.resume()
        await renewed(one)
        assert [*seen, one.holds] == [True, False, True]
        assert one.term is not term
