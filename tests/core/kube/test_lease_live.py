"""A Lease on the real API server: kept, said on, lost, let go; and a server that freezes."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from ingest_core.errors import ApiRefused, LeaseLost
from ingest_core.kube.access import load
from ingest_core.kube.client import Api
from ingest_core.kube.lease import FENCE, LeaseHolder
from ingest_core.kube.resources import LEASES
from tests.cluster.api_server import ApiServer, write_kubeconfig
from tests.cluster.client import Client
from tests.cluster.plugin import Kubectl
from tests.cluster.proxy import Proxy
from tests.fakes.real_api import Account

NAME = "operator"
DURATION = 2
RENEW = 0.2


class Holder(LeaseHolder):
    """One that tells of its renewals."""

    told: asyncio.Event

    def _hold(self, sent: float) -> None:
        super()._hold(sent)
        self.told.set()


def holder(api: Api, identity: str, *, patient: bool = True, pod: str | None = None) -> Holder:
    made = Holder(
        api,
        NAME,
        identity,
        duration=DURATION,
        renew=RENEW,
        manager="test",
        patient=patient,
        pod=pod,
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


async def test_of_two_pods_of_one_name_the_later_one_waits_until_the_first_one_cannot_act(
    near: Api, far: Api, wire: Proxy, admin: Client
) -> None:
    """The first one's line is cut, so nobody tells it: it counts on until its fence."""
    first = holder(far, "a_1_1", patient=False, pod="a_1_")
    second = holder(near, "a_2_1", patient=False, pod="a_2_")
    async with running(first):
        await renewed(first)
        await wire.black_hole()
        async with running(second):
            await asyncio.wait_for(second.held.wait(), 30)
            holding = [first.holds]
            assert first.until < second.term.alone <= second.term.since + DURATION
            said = lease(admin, near)["metadata"]["annotations"]
            assert said["camera-ingest.io/settling"] == f"{DURATION}"
            await asyncio.sleep(DURATION)
            await renewed(second)
            assert [*holding, first.holds] == [True, False], "for a while it seems so to both"
            assert "annotations" not in lease(admin, near)["metadata"]
        again = holder(near, "a_2_2", patient=False, pod="a_2_")
        async with running(again):
            await asyncio.wait_for(again.held.wait(), 30)
            assert again.term.alone <= again.term.since, "the kubelet has seen its end"
        await wire.heal()


async def test_what_others_wrote_on_it_stays(near: Api, admin: Client) -> None:
    path = LEASES.path(near.namespace, NAME)
    one = holder(near, "one")
    async with running(one):
        await renewed(one)
        owner = {"apiVersion": "v1", "kind": "Pod", "name": "a", "uid": "u"}
        theirs = {
            "annotations": {"example.com/by": "a-person"},
            "finalizers": ["example.com/keep"],
            "ownerReferences": [owner],
        }
        admin.merge(path, {"metadata": theirs})
        one.annotate("camera-ingest.io/draining", "true")
        await renewed(one)
        await renewed(one)
    two = holder(near, "two", patient=False)
    async with running(two):
        await renewed(two)
        await asyncio.sleep(DURATION)
        await renewed(two)
        found = lease(admin, near)["metadata"]
    assert {key: found[key] for key in theirs} == theirs
    await two.release()
    found = lease(admin, near)["metadata"]
    assert {key: found[key] for key in theirs} == theirs
    admin.merge(path, {"metadata": {"finalizers": None}})


async def test_a_pod_that_was_deleted_by_force_cannot_take_its_lease_back(
    near: Api, account: Account, admin: Client, tmp_path: Path
) -> None:
    """So two pods of one name do not take it from each other for ever."""
    namespace, identity = near.namespace, account.identity
    pods = f"/api/v1/namespaces/{namespace}/pods"
    body = {
        "metadata": {"name": "a-0"},
        "spec": {
            "serviceAccountName": identity.name,
            "containers": [{"name": "worker", "image": "none"}],
        },
    }
    admin.post(pods, body)
    bound = {"apiVersion": "v1", "kind": "Pod", "name": "a-0"}
    asked = {"spec": {"expirationSeconds": 3600, "boundObjectRef": bound}}
    where = f"/api/v1/namespaces/{namespace}/serviceaccounts/{identity.name}/token"
    token = admin.post(where, asked)["status"]["token"]
    kubeconfig = tmp_path / "of-a-pod"
    server = account.server
    write_kubeconfig(kubeconfig, server.url, server.ca_file, {"token": token}, namespace)
    admin.delete(f"{pods}/a-0", {"gracePeriodSeconds": 0})
    admin.post(pods, body)
    async with Api(await load(str(kubeconfig), {})) as api:
        with pytest.raises(ApiRefused) as refused:
            await api.get(LEASES, NAME)
    assert refused.value.status == 401


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
