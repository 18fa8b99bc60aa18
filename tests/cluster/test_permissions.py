"""Each program may do what it does, and nothing else: read off the API server's audit log.

Every program runs with the real token of its own account and exactly the rules that its code
declares; what was refused (`world` looks), and what was allowed and never used, fails.
"""

import asyncio
from collections.abc import Iterable
from functools import partial
from typing import Any

import pytest

from ingest_core.kube.rules import Rule
from ingest_core.names import OPERATOR_LEASE
from ingest_gateway.permissions import RULES as GATEWAY_RULES
from ingest_operator.permissions import RULES as OPERATOR_RULES
from ingest_operator.permissions import WORKER_RULES
from ingest_simulator.camera import Auth, SimulatedCamera
from tests.cluster.api_server import ApiServer
from tests.cluster.audit import Request
from tests.cluster.client import Refused
from tests.cluster.identity import RBAC
from tests.cluster.test_system import POOL, every, since, small, worker_of
from tests.cluster.world import World, world

Right = tuple[str, str, str]  # group, resource, verb
SECRETS: Right = ("", "secrets", "get")


def rights(rules: Iterable[Rule]) -> set[Right]:
    return {
        (group, resource, verb)
        for rule in rules
        for group in rule.api_groups
        for resource in rule.resources
        for verb in rule.verbs
    }


def used(requests: Iterable[Request]) -> set[Right]:
    """What was asked; an apply that made something needed the right to create it, too."""
    asked = list(requests)
    made = {(one.group, one.resource, "create") for one in asked if one.code == 201}
    return made | {(one.group, one.resource, one.verb) for one in asked if one.resource}


async def live(cluster: World) -> None:
    """Everything that the programs ever do, once."""
    login = small("lobby", auth=Auth.BASIC, username="u", password="p")
    url = await cluster.simulator.add(login)
    camera = f"{cluster.urls[0]}/api/cameras/cam_1"
    body = {"id": "cam_1", "source_type": "rtsp", "source_url": url.replace("://", "://u:p@")}
    await cluster.http.post(f"{cluster.urls[0]}/api/cameras", json=body)
    before = await cluster.until(every, "a camera with a login is captured")
    # Its login is said anew: a Secret more, and one less.
    answer = await cluster.http.patch(camera, json={"username": "u", "password": "p"})
    assert answer.status == 200, await answer.text()
    # An autoscaled pool writes its scale; a lost worker and a worker too many leave their Leases.
    scaling = {"minReplicas": 2, "maxReplicas": 3}
    await cluster.apply("CameraPool", "default", {**POOL, "autoscaling": scaling})
    (name,) = before
    for _ in range(2):  # the second time is the same Event once more
        victim = worker_of((await cluster.until(every, "it is captured"))[name])
        cluster.kubelet.kill(victim, hold=True)
        await cluster.until(partial(elsewhere, name, victim), "it is with another worker")
        cluster.kubelet.release(victim)
    for _ in range(2):  # the same, of a camera
        there = (await cluster.until(every, "it is captured"))[name]
        await cluster.simulator.disconnect("lobby")
        await cluster.until(partial(anew, name, there), "its session is another one")
    # What an earlier operator granted, and no camera needs any more.
    labels = {"camera-ingest.io/pool": "default", "app.kubernetes.io/component": "worker"}
    stale = {"name": "default-secrets-9", "labels": labels}
    rbac = f"/apis/{RBAC}/v1/namespaces/{cluster.namespace}"
    cluster.server.admin.post(f"{rbac}/roles", {"metadata": stale, "rules": []})
    reference = {"apiGroup": RBAC, "kind": "Role", "name": stale["name"]}
    cluster.server.admin.post(f"{rbac}/rolebindings", {"metadata": stale, "roleRef": reference})
    await gone(cluster, f"{rbac}/roles/{stale['name']}")
    await cluster.apply("CameraPool", "other", {**POOL, "replicas": 1})
    await leases(cluster, 4)
    await cluster.delete("camerapools", "other")
    await leases(cluster, 3)
    answer = await cluster.http.delete(camera)
    assert answer.status == 204, await answer.text()


def elsewhere(name: str, victim: str, cameras: dict[str, Any]) -> bool:
    return every(cameras) and worker_of(cameras[name]) != victim


def anew(name: str, before: Any, cameras: dict[str, Any]) -> bool:
    return every(cameras) and since(cameras[name]) > since(before)


async def gone(cluster: World, path: str) -> None:
    """Wait until an object is not there any more."""
    async with asyncio.timeout(60):
        while True:
            try:
                await asyncio.to_thread(cluster.server.admin.get, path)
            except Refused:
                return
            await asyncio.sleep(0.1)


async def leases(cluster: World, count: int) -> None:
    """Wait until there are so many Leases, the operator's among them."""
    path = f"/apis/coordination.k8s.io/v1/namespaces/{cluster.namespace}/leases"
    async with asyncio.timeout(60):
        while True:
            there: list[Any] = (await asyncio.to_thread(cluster.server.admin.get, path))["items"]
            if len(there) == count:
                return
            await asyncio.sleep(0.1)


@pytest.fixture
async def requests(api_server: ApiServer, namespace: str) -> dict[str, list[Request]]:
    """What each account asked, by its name, over one life of everything."""
    since = api_server.audit.position()
    options = ("--resync-seconds", "5")
    async with world(api_server, namespace, options=options) as cluster:
        await cluster.apply("CameraPool", "default", POOL)
        await live(cluster)
    by_account: dict[str, list[Request]] = {}
    prefix = f"system:serviceaccount:{namespace}:"
    for one in api_server.audit.requests(since):
        if one.user.startswith(prefix):
            by_account.setdefault(one.user.removeprefix(prefix), []).append(one)
    return by_account


async def test_every_program_may_do_exactly_what_it_does(
    requests: dict[str, list[Request]],
) -> None:
    workers = requests["default-worker"] + requests["other-worker"]
    expected = {
        "operator": (rights(OPERATOR_RULES), used(requests["operator"])),
        "gateway": (rights(GATEWAY_RULES), used(requests["gateway"])),
        "worker": (rights(WORKER_RULES) | {SECRETS}, used(workers)),
    }
    for program, (allowed, did) in expected.items():
        assert did - allowed == set(), program
        assert allowed - did == set(), f"{program} is allowed what it never does"


async def test_a_worker_may_touch_only_the_secrets_of_its_pools_cameras_and_its_pools_leases(
    api_server: ApiServer, namespace: str
) -> None:
    async with world(api_server, namespace, gateways=0) as cluster:
        await cluster.apply("CameraPool", "default", POOL)
        await cluster.secret("login", username="u", password="p")
        await cluster.secret("another", username="u", password="p")
        camera = SimulatedCamera(
            name="lobby", width=160, height=120, auth=Auth.BASIC, username="u", password="p"
        )
        url = await cluster.simulator.add(camera)
        rtsp = {"url": url, "credentialsSecretRef": {"name": "login"}}
        await cluster.apply("Camera", "lobby", {"source": {"rtsp": rtsp}})
        await cluster.until(every, "it is captured")
        answers = [
            await asyncio.to_thread(allowed, cluster, "default-worker", name)
            for name in ("login", "another", "")
        ]
        assert answers == [True, False, False]
        answers = [
            await asyncio.to_thread(allowed, cluster, "default-worker", name, verb, "leases")
            for name in ("default-0", "default-1", OPERATOR_LEASE, "other-0", "")
            for verb in ("get", "update", "patch", "delete")
        ]
        assert answers == [True, True, False, False] * 2 + [False] * 12


def allowed(
    cluster: World, account: str, name: str, verb: str = "get", resource: str = "secrets"
) -> bool:
    """May an account do that to a Secret or a Lease (no name: to any)?"""
    review = {
        "spec": {
            "user": f"system:serviceaccount:{cluster.namespace}:{account}",
            "resourceAttributes": {
                "namespace": cluster.namespace,
                "group": "coordination.k8s.io" if resource == "leases" else "",
                "resource": resource,
                "verb": verb,
                "name": name,
            },
        }
    }
    path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
    return bool(cluster.server.admin.post(path, review)["status"]["allowed"])
