"""The operator as a process on a real API server, by an account that has its Role and no more."""

import asyncio
import contextlib
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from http import HTTPStatus
from typing import Any

import pytest

from ingest_core.kube.resources import (
    CAMERAS,
    LEASES,
    POOLS,
    ROLE_BINDINGS,
    ROLES,
    SERVICES,
    STATEFUL_SETS,
)
from ingest_core.names import APP, LABEL_COMPONENT, LABEL_MANAGED_BY, LABEL_POOL
from tests.cluster.audit import Request
from tests.cluster.client import Refused
from tests.fakes.operated import Operated


async def replicas(here: Operated) -> int | None:
    found = await here.find(STATEFUL_SETS, "default")
    return None if found is None else int(found["spec"]["replicas"])


# Placing and moving


async def test_a_camera_is_assigned_when_it_is_applied_and_handed_over_when_its_worker_drains(
    here: Operated,
) -> None:
    await here.pool(replicas=2)
    operator = await here.operator()
    first = await here.worker("default-0")
    await here.camera("lobby")
    await here.assigned("lobby", "default-0")
    await here.worker("default-1")
    await here.eventually(partial(operator.knows, 2), "it knows both")
    await here.camera("gate", rtsp={"session": "Exclusive"})
    await here.assigned("gate", "default-1")
    epoch = here.cameras.cameras["lobby"].epoch
    first.drain()
    await here.until(
        lambda: (here.worker_of(), here.previous_of()) == ("default-1", "default-0"),
        "the old worker hands over",
    )
    await here.assigned("lobby", "default-1")
    assert here.cameras.cameras["lobby"].epoch == epoch + 1


async def test_hundreds_of_cameras_that_a_policy_refuses_keep_nobody_else_waiting(
    here: Operated, policy: str
) -> None:
    """More than a pass writes, and the first of each plan, as they are the heaviest."""
    refused, others = 600, 100
    await here.pool(replicas=1, worker={"weightCapacity": 256000, "maxCameras": 1000})
    await here.worker("default-0", mute=True)
    await here.many(refused, weight=2)
    operator = await here.operator()
    await here.eventually(partial(operator.knows, 1), "it knows the worker")
    await asyncio.gather(*(here.camera(f"other-{number}", weight=1) for number in range(others)))
    await here.until(
        lambda: all(here.worker_of(f"other-{number}") for number in range(others)),
        "the others are assigned",
        seconds=60,
    )

    async def counted() -> bool:
        found = await here.find(POOLS, "default")
        return bool(found.get("status", {}).get("cameras") == refused + others)

    await here.eventually(counted, "their pool says how many there are")
    assert not any(map(here.worker_of, (f"cam-{number:04}" for number in range(refused))))
    here.server.admin.delete(policy)
    await here.until(
        lambda: all(map(here.worker_of, (f"cam-{number:04}" for number in range(refused)))),
        "without the policy all of them are",
        seconds=90,
    )


@pytest.fixture
def policy(here: Operated) -> Iterator[str]:
    """Path of the binding of a policy of the namespace: no Camera of weight 2 has a status."""
    admin, name = here.server.admin, f"light-{here.namespace}"
    root = "/apis/admissionregistration.k8s.io/v1"
    policies, bindings = (
        f"{root}/validatingadmissionpolicies",
        f"{root}/validatingadmissionpolicybindings",
    )
    rule = {
        "apiGroups": [POOLS.group],
        "apiVersions": ["*"],
        "operations": ["UPDATE"],
        "resources": ["cameras/status"],
    }
    spec: dict[str, Any] = {
        "matchConstraints": {"resourceRules": [rule]},
        "validations": [{"expression": "object.spec.weight != 2", "message": "too heavy"}],
    }
    admin.post(policies, {"metadata": {"name": name}, "spec": spec})
    selected = {"matchLabels": {"kubernetes.io/metadata.name": here.namespace}}
    spec = {
        "policyName": name,
        "validationActions": ["Deny"],
        "matchResources": {"namespaceSelector": selected},
    }
    admin.post(bindings, {"metadata": {"name": name}, "spec": spec})
    trial = CAMERAS.path(here.namespace, "trial")
    source = {"rtsp": {"url": "rtsp://camera.example/"}}
    head: dict[str, Any] = {"apiVersion": CAMERAS.api_version, "kind": CAMERAS.kind}
    head["metadata"] = {"name": "trial"}
    admin.apply(trial, {**head, "spec": {"source": source, "weight": 2}})
    deadline, number = time.monotonic() + 30, 0
    with contextlib.suppress(Refused):
        while time.monotonic() < deadline:  # it is in force some moments after it was made
            number += 1
            admin.merge(f"{trial}/status", {"status": {"stream": {"sessions": number}}})
            time.sleep(0.05)
        raise AssertionError("the policy is not in force")
    admin.delete(trial)
    yield f"{bindings}/{name}"
    for path in (f"{bindings}/{name}", f"{policies}/{name}"):
        with contextlib.suppress(Refused):
            admin.delete(path)


async def test_an_exclusive_camera_is_let_go_of_before_another_worker_has_it(
    here: Operated,
) -> None:
    await here.pool(replicas=2)
    first = await here.worker("default-0")
    operator = await here.operator()
    await here.camera("lobby", rtsp={"session": "Exclusive"})
    await here.until(lambda: "lobby" in first.captured, "the first captures it")
    second = await here.worker("default-1")
    await here.eventually(partial(operator.knows, 2), "it knows both")
    first.drain()
    await here.assigned("lobby", "default-1")
    assert "lobby" not in first.captured
    await here.until(
        lambda: second.captured.get("lobby") == here.cameras.cameras["lobby"].epoch,
        "the second captures it",
    )


async def test_a_lost_workers_cameras_move_when_its_lease_has_run_out_and_people_are_told(
    here: Operated,
) -> None:
    await here.pool(replicas=2)
    workers = {name: await here.worker(name) for name in ("default-0", "default-1")}
    operator = await here.operator()
    await here.eventually(partial(operator.knows, 2), "it knows both")
    for name in ("a", "b"):
        await here.camera(name)
    await here.until(lambda: bool(here.worker_of("a") and here.worker_of("b")), "assigned")
    lost = here.worker_of("a")
    other = here.worker_of("b")
    assert lost is not None
    assert other not in (None, lost)
    kept = here.cameras.cameras["b"].status.assignment
    await workers[lost].lose()
    lease = (await here.find(LEASES, lost))["spec"]
    await here.assigned("a", str(other), seconds=60)
    renewed = datetime.fromisoformat(lease["renewTime"])
    assert datetime.now(UTC) - renewed >= timedelta(seconds=lease["leaseDurationSeconds"])
    assert here.cameras.cameras["b"].status.assignment == kept, "only its own cameras move"

    async def told() -> Any:
        return (await here.events()).get("WorkerLost")

    event = await here.eventually(told, "an event")
    assert event["involvedObject"]["name"] == "default"
    assert lost in event["message"]


async def test_a_workers_lease_that_is_deleted_by_hand_is_back_and_costs_no_camera(
    here: Operated,
) -> None:
    await here.pool(replicas=2)
    operator = await here.operator()
    first = await here.worker("default-0")
    await here.camera("lobby", rtsp={"session": "Exclusive"})
    await here.assigned("lobby", "default-0")
    await here.worker("default-1")
    await here.eventually(partial(operator.knows, 2), "it knows both")
    before = here.cameras.cameras["lobby"].status.assignment
    uid = (await here.find(LEASES, "default-0"))["metadata"]["uid"]
    await here.api.delete(LEASES, "default-0")

    async def is_back() -> bool:
        found = await here.find(LEASES, "default-0")
        return found is not None and found["metadata"]["uid"] != uid

    await here.eventually(is_back, "it made its Lease anew")
    await here.camera("gate", weight=1)
    await here.until(lambda: here.worker_of("gate") is not None, "the operator has looked since")
    assert here.cameras.cameras["lobby"].status.assignment == before
    assert "lobby" in first.captured


async def test_scale_in_drains_the_highest_worker_and_takes_it_away_then(here: Operated) -> None:
    await here.pool(replicas=2)
    operator = await here.operator()
    await here.worker("default-0")
    await here.camera("held", weight=100)
    await here.assigned("held", "default-0")
    second = await here.worker("default-1")
    await here.eventually(partial(operator.knows, 2), "it knows both")
    await here.camera("lobby", rtsp={"session": "Exclusive"})
    await here.assigned("lobby", "default-1")
    assert await replicas(here) == 2
    scale = {"spec": {"replicas": 1}}
    await here.api.merge(POOLS, "default", scale, manager="hpa", subresource="scale")
    await here.assigned("lobby", "default-0")

    async def shrunk() -> bool:
        return await replicas(here) == 1

    await here.eventually(shrunk, "the StatefulSet shrinks")
    assert here.worker_of("held") == "default-0"
    await second.end()

    async def forgotten() -> bool:
        return await here.find(LEASES, "default-1") is None

    await here.eventually(forgotten, "its Lease is removed")


async def test_a_pool_takes_its_cameras_assignments_with_it_and_gives_them_back(
    here: Operated,
) -> None:
    await here.pool(replicas=1)
    await here.worker("default-0")
    await here.operator()
    await here.camera("lobby")
    await here.camera("stray", poolRef={"name": "missing"})
    await here.refused("stray", "PoolNotFound")
    await here.assigned("lobby", "default-0")
    epoch = here.cameras.cameras["lobby"].epoch
    await here.api.delete(POOLS, "default")
    await here.refused("lobby", "PoolNotFound")
    assert (here.worker_of(), here.cameras.cameras["lobby"].epoch) == (None, epoch + 1)
    ready = here.condition(type_="Ready")
    assert ready is None or ready.status == "False"
    await here.pool(replicas=1)
    await here.assigned("lobby", "default-0")
    assert here.cameras.cameras["lobby"].epoch > epoch + 1


async def test_a_pool_without_room_says_so_once_for_each_time(here: Operated) -> None:
    await here.pool(replicas=1, worker={"weightCapacity": 100})
    await here.worker("default-0")
    await here.operator()
    await here.camera("a")
    await here.assigned("a", "default-0")
    for count in (1, 2):
        await here.camera("b")
        await here.refused("b", "CapacityExhausted")

        async def told(count: int = count) -> Any:
            event = (await here.events()).get("CapacityExhausted")
            return event is not None and event["count"] == count

        await here.eventually(told, f"told {count} times, on one Event")
        await here.api.delete(CAMERAS, "b")

        async def free() -> bool:
            status = (await here.find(POOLS, "default"))["status"]
            return status["cameras"] == 1 and "CapacityExhausted" in str(status)

        await here.eventually(free, "the pool says that there is room")
    found = await here.find(POOLS, "default")
    conditions = {one["type"]: one["status"] for one in found["status"]["conditions"]}
    assert conditions == {"Ready": "True", "Progressing": "False", "CapacityExhausted": "False"}
    assert found["status"]["utilizationPercent"] == 100


async def test_a_pool_that_scales_itself_has_as_many_workers_as_its_cameras_need(
    here: Operated,
) -> None:
    await here.pool(autoscaling={"maxReplicas": 5, "targetUtilizationPercent": 50})
    await here.operator()

    async def has(number: int) -> bool:
        return await replicas(here) == number

    await here.eventually(lambda: has(1), "one worker")
    await here.many(8, weight=200)
    await here.eventually(lambda: has(4), "four workers")


# What pools are made of


async def test_drift_is_repaired_and_what_is_granted_without_a_reason_is_taken_away(
    here: Operated,
) -> None:
    await here.pool(replicas=1)
    labels = {LABEL_POOL: "default", LABEL_COMPONENT: "worker", LABEL_MANAGED_BY: APP}
    for resource in (ROLES, ROLE_BINDINGS):
        body: dict[str, Any] = {"metadata": {"name": "default-secrets-7", "labels": labels}}
        if resource is ROLE_BINDINGS:
            group = "rbac.authorization.k8s.io"
            body["roleRef"] = {"apiGroup": group, "kind": "Role", "name": "default-secrets-7"}
        here.server.admin.post(resource.path(here.namespace), body)
    await here.operator("--resync-seconds", "5")
    found = await here.eventually(lambda: here.find(STATEFUL_SETS, "default"), "it is made")
    owner = found["metadata"]["ownerReferences"][0]
    assert (owner["kind"], owner["name"], owner["controller"]) == ("CameraPool", "default", True)

    async def removed() -> bool:
        return await here.find(ROLES, "default-secrets-7") is None

    await here.eventually(removed, "the stale Role goes")
    await here.api.delete(SERVICES, "default")
    image = {"name": "worker", "image": "somebody/else:1"}
    drift = {"spec": {"template": {"spec": {"containers": [image]}}}}
    admin = here.server.admin
    admin.apply(STATEFUL_SETS.path(here.namespace, "default"), {**_HEAD, **drift}, "somebody")

    async def repaired() -> bool:
        service = await here.find(SERVICES, "default")
        stateful_set = await here.find(STATEFUL_SETS, "default")
        (container,) = stateful_set["spec"]["template"]["spec"]["containers"]
        return service is not None and container["image"] == "camera-ingest:latest"

    await here.eventually(repaired, "both are as they should be")


async def test_a_stateful_set_that_somebody_changes_or_deletes_is_repaired_at_once(
    here: Operated,
) -> None:
    """By its watch: the next resync is minutes away."""
    await here.pool(replicas=1)
    operator = await here.operator()
    await here.eventually(lambda: replicas(here), "it is made")
    scaled = {"spec": {"replicas": 7}}
    path = STATEFUL_SETS.path(here.namespace, "default")
    await asyncio.to_thread(here.server.admin.merge, path, scaled)

    async def repaired() -> bool:
        return await replicas(here) == 1

    def asked(since: int) -> list[Request]:
        return [one for one in operator.requests(since) if one.resource == "statefulsets"]

    async def recorded() -> bool:
        return any(one.code == HTTPStatus.CREATED for one in asked(deleted))

    await here.eventually(repaired, "it is as it should be", seconds=60)
    deleted = here.server.audit.position()
    await here.api.delete(STATEFUL_SETS, "default")
    await here.eventually(repaired, "it is there again", seconds=60)
    await here.eventually(recorded, "the server has written down who did it")
    since = here.server.audit.position()
    await asyncio.to_thread(here.server.admin.merge, f"{path}/status", {"status": {"replicas": 1}})
    await asyncio.sleep(1)
    assert not asked(since), "what its controller says of it costs nothing"


_HEAD = {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "default"}}


async def test_of_two_cameras_with_one_id_the_oldest_has_a_worker_until_it_is_gone(
    here: Operated,
) -> None:
    """Of two of one second, which the server's times do not tell apart, that of the lower uid."""
    await here.pool(replicas=1)
    await here.worker("default-0")
    await here.camera("hall", cameraId="door")
    await here.camera("door")
    await here.until(lambda: len(here.cameras.cameras) == 2, "both are there")
    both = here.cameras.cameras
    first, second = sorted(both, key=lambda name: both[name].metadata.seniority)
    await here.operator()
    await here.assigned(first, "default-0")
    await here.refused(second, "DuplicateId")
    assert here.worker_of(second) is None
    told, served = here.condition(second), here.cameras.by_id("door")
    assert told is not None
    assert f"Camera {first!r} is older" in told.message
    assert served is not None
    assert served.name == first, "the gateway's choice is the operator's"
    had = both[first].epoch
    await here.api.delete(CAMERAS, first)
    await here.assigned(second, "default-0")
    assert both[second].epoch > had
