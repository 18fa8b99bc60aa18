"""The operator where something is missing: it says what, waits, and goes on when it is there.

On an API server of its own, as CRDs come and go.
"""

import asyncio
import json
import signal
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from ingest_core.kube.resources import POOLS, STATEFUL_SETS
from ingest_operator.permissions import GRANTED, RULES
from tests.cluster.api_server import ApiServer
from tests.cluster.client import Refused
from tests.cluster.crds import PATH, install_crds
from tests.cluster.identity import RBAC, Identity, service_account
from tests.cluster.kubelet import COMMAND
from tests.cluster.namespaces import temporary_namespace
from tests.cluster.plugin import CRDS, bare_api_server
from tests.cluster.programs import HOST, Household, Program, free_port
from tests.fakes.operated import FAST

EVERYTHING: Sequence[Any] = [msgspec.to_builtins(rule) for rule in (*RULES, *GRANTED)]


@pytest.fixture(scope="module")
def own_server() -> Iterator[ApiServer]:
    with bare_api_server() as server:
        yield server


@pytest.fixture
def server(own_server: ApiServer) -> ApiServer:
    """With CRDs."""
    install_crds(own_server.admin, CRDS)
    return own_server


@pytest.fixture
def place(server: ApiServer) -> Iterator[str]:
    with temporary_namespace(server.admin) as name:
        yield name


def remove_crds(server: ApiServer) -> None:
    for name in ("cameras", "camerapools"):
        server.admin.delete(f"{PATH}/{name}.camera-ingest.io")


@dataclass
class Running:
    """An operator, and what it says of itself."""

    server: ApiServer
    namespace: str
    program: Program
    url: str
    http: aiohttp.ClientSession

    async def readiness(self) -> str:
        """`ok`, or what is wrong; empty: there is no answer."""
        try:
            async with self.http.get(f"{self.url}/readyz") as answer:
                text = await answer.text()
                return "ok" if answer.status == 200 else str(json.loads(text)["detail"])
        except aiohttp.ClientError:
            return ""

    async def says(self, what: str, seconds: float = 20) -> None:
        """Wait until its readiness says so."""
        deadline = time.monotonic() + seconds
        while what not in (found := await self.readiness()):
            assert time.monotonic() < deadline, f"{found}\n{self.program.said}"
            assert self.program.alive, self.program.said
            await asyncio.sleep(0.02)

    async def works(self) -> None:
        """A pool that is applied now has workers soon: it leads, and its watches live."""
        path = POOLS.path(self.namespace)
        body = {"apiVersion": POOLS.api_version, "kind": POOLS.kind}
        name = f"pool-{time.monotonic_ns()}"
        await asyncio.to_thread(
            self.server.admin.post, path, {**body, "metadata": {"name": name}, "spec": {}}
        )
        deadline = time.monotonic() + 20
        while True:
            try:
                made = STATEFUL_SETS.path(self.namespace, name)
                await asyncio.to_thread(self.server.admin.get, made)
            except Refused:
                assert time.monotonic() < deadline, self.program.said
                await asyncio.sleep(0.05)
            else:
                return

    def lines(self, event: str) -> list[Any]:
        every = map(json.loads, self.program.said.splitlines())
        return [one for one in every if one["event"] == event]


@asynccontextmanager
async def operator(
    server: ApiServer, namespace: str, kubeconfig: Path, household: Household
) -> AsyncIterator[Running]:
    """One, which has ended well and said nothing odd when the block has."""
    port = free_port()
    where = ("--kubeconfig", kubeconfig, "--namespace", namespace, "--listen", f"{HOST}:{port}")
    program = Program(household, "operator", (COMMAND, "operator", *where, *FAST))
    program.start()
    async with aiohttp.ClientSession() as http:
        running = Running(server, namespace, program, f"http://{HOST}:{port}", http)
        yield running
    process = program._process_of()
    process.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(process.wait, 5) == 0, program.said
    assert "Traceback" not in program.said
    assert running.lines("operator_stopped")


@asynccontextmanager
async def operator_of(
    server: ApiServer, namespace: str, rules: Sequence[Any] = EVERYTHING
) -> AsyncIterator[tuple[Running, Identity]]:
    """The same by an account of its own."""
    with Household() as household:
        made = await asyncio.to_thread(service_account, server, namespace, "operator", rules)
        kubeconfig = made.kubeconfig(household.directory / "kubeconfig")
        async with operator(server, namespace, kubeconfig, household) as running:
            yield running, made


async def test_without_crds_it_says_so_once_and_waits_for_them(
    server: ApiServer, place: str
) -> None:
    remove_crds(server)
    async with operator_of(server, place) as (running, _):
        await running.says("has not been read yet: the CRDs of Camera Ingest are not installed")
        await asyncio.sleep(2.5)  # some tries
        (line,) = running.lines("waiting_for_the_cluster")
        assert "kubectl apply -f crds/" in line["obstacle"]
        await asyncio.to_thread(install_crds, server.admin, CRDS)
        await running.says("ok")
        await running.works()


async def test_crds_that_vanish_are_waited_for_and_a_leader_ends_all_the_same(
    server: ApiServer, place: str
) -> None:
    async with operator_of(server, place) as (running, _):
        await running.says("ok")
        await running.works()
        for _ in range(2):
            remove_crds(server)
            await running.says("cannot be read: the CRDs of Camera Ingest are not installed")
            await asyncio.to_thread(install_crds, server.admin, CRDS)
            await running.says("ok")
            await running.works()
        remove_crds(server)
        await running.says("CRDs")  # and now it is told to end


async def test_without_rights_it_says_which_role_it_lacks(server: ApiServer, place: str) -> None:
    async with operator_of(server, place, rules=()) as (running, identity):
        await running.says(f"camera-ingest rbac --namespace {place} | kubectl apply -f -")
        assert 'cannot list resource "cameras"' in await running.readiness()
        path = f"/apis/{RBAC}/v1/namespaces/{place}"
        role = {"metadata": {"name": "late"}, "rules": EVERYTHING}
        server.admin.post(f"{path}/roles", role)
        binding = {
            "metadata": {"name": "late"},
            "subjects": [{"kind": "ServiceAccount", "name": identity.name, "namespace": place}],
            "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": "late"},
        }
        server.admin.post(f"{path}/rolebindings", binding)
        await running.says("ok")
        await running.works()


async def test_a_namespace_that_is_not_there_is_waited_for(server: ApiServer, place: str) -> None:
    """As an admin, whom no Role keeps from looking into nothing."""
    late = f"{place}-late"
    with Household() as household:
        async with operator(server, late, server.kubeconfig, household) as running:
            await running.says(f"there is no namespace {late}: kubectl create namespace {late}")
            server.admin.post("/api/v1/namespaces", {"metadata": {"name": late}})
            await running.says("ok")
            await running.works()


async def test_a_token_that_is_not_valid_is_waited_for_at_the_start_and_later(
    server: ApiServer, place: str
) -> None:
    made = await asyncio.to_thread(service_account, server, place, "operator", EVERYTHING)
    secrets = f"/api/v1/namespaces/{place}/secrets"
    server.admin.post(secrets, {"metadata": {"name": "bound"}})
    with Household() as household:
        token = household.directory / "token"
        token.write_text("not a token")
        kubeconfig = made.kubeconfig(household.directory / "kubeconfig", token_file=token)
        async with operator(server, place, kubeconfig, household) as running:
            await running.says("the API server does not know this account")
            made.write_token(token, bound_to="bound")
            await running.says("ok")
            await running.works()
            server.admin.delete(f"{secrets}/bound")
            deadline = time.monotonic() + 30  # the API server believes in a token for 10 s more
            while not running.lines("lease_not_renewed"):
                assert time.monotonic() < deadline
                await asyncio.sleep(0.1)
            made.write_token(token)
            await running.says("ok")
            await running.works()
