"""Two pools in one namespace: each has cameras, workers and Secrets of its own.

Of the installation in `other`: `default` captures lobby and yard, `side` captures alley.
"""

import json
from collections.abc import Iterator
from contextlib import closing
from typing import Final

import pytest

from tests.cluster.client import Client
from tests.cluster.command_line import CommandLine
from tests.e2e import people, states, tenant

CAMERAS: Final = ("lobby", "yard", "alley")


@pytest.fixture(scope="module")
def workers(other: CommandLine) -> Iterator[dict[str, Client]]:
    """The API as each pool's workers see it."""
    with (
        closing(people.client(other, "default-worker")) as default,
        closing(people.client(other, "side-worker")) as side,
    ):
        yield {"default": default, "side": side}


def test_a_camera_is_captured_by_a_worker_of_its_own_pool(other: CommandLine) -> None:
    held = {name: hold.worker for name, hold in states.holds(other, *CAMERAS).items()}

    assert held == {"lobby": "default-0", "yard": "default-0", "alley": "side-0"}


def test_a_camera_for_which_its_pool_has_no_room_goes_to_no_other_pool(other: CommandLine) -> None:
    """Of 1000, `default` has 700 left, and `side` 900."""
    tenant.apply(other, tenant.camera("attic", "cam1", weight=850))
    try:
        found = states.until(lambda: states.reason(other, "attic", "Assigned"), bool)
    finally:
        other.kubectl("delete", "camera", "attic")

    assert found == "CapacityExhausted"


def test_a_worker_reads_the_secrets_of_its_own_pools_cameras_only(
    workers: dict[str, Client], other: CommandLine
) -> None:
    assert _readable(workers, other, "simulated-login") == {"default"}
    assert _readable(workers, other, "side-login") == {"side"}
    for nobodys in ("redis", "redis-settings", ""):
        assert _readable(workers, other, nobodys) == set()


@pytest.mark.parametrize("pool", ["default", "side"])
def test_a_secret_goes_with_the_camera_that_names_it_to_another_pool(
    workers: dict[str, Client], other: CommandLine, pool: str
) -> None:
    """There, and back."""
    move = json.dumps({"spec": {"poolRef": {"name": pool}}})
    other.kubectl("patch", "camera", "alley", "--type=merge", f"--patch={move}")

    states.until(lambda: _readable(workers, other, "side-login"), lambda who: who == {pool})
    states.until(
        lambda: states.holds(other, "alley")["alley"], lambda hold: hold.worker == f"{pool}-0"
    )


def test_a_worker_touches_no_lease_of_another_pool(
    workers: dict[str, Client], other: CommandLine
) -> None:
    leases = f"/apis/coordination.k8s.io/v1/namespaces/{other.namespace}/leases"

    for pool, client in workers.items():
        own = client.get(f"{leases}/{pool}-0")
        allowed = (200, 409)  # the worker may have renewed it meanwhile
        assert people.answer(client, "PUT", f"{leases}/{pool}-0", own) in allowed
        for foreign in {"default-0", "side-0", "camera-ingest-operator"} - {f"{pool}-0"}:
            body = {**own, "metadata": {"name": foreign}}
            assert people.answer(client, "GET", f"{leases}/{foreign}") == 403
            assert people.answer(client, "PUT", f"{leases}/{foreign}", body) == 403
            assert people.answer(client, "DELETE", f"{leases}/{foreign}") == 403


def test_scaling_and_deleting_a_pool_touches_no_camera_of_another(other: CommandLine) -> None:
    before = states.holds(other, *CAMERAS)
    tenant.apply(other, tenant.pool("brief"), tenant.camera("porch", "cam2", pool="brief"))
    try:
        tenant.await_ready(other, "porch")
        other.kubectl("scale", "camerapool", "brief", "--replicas=2")
        other.kubectl("wait", "--for=create", "--timeout=120s", "pod/brief-1")
        other.kubectl("wait", "--for=condition=Ready", "--timeout=120s", "pod/brief-1")
        other.kubectl("scale", "camerapool", "brief", "--replicas=1")
        other.kubectl("wait", "--for=delete", "--timeout=120s", "pod/brief-1")
        other.kubectl("delete", "camerapool", "brief")
        states.until(
            lambda: states.reason(other, "porch", "Assigned"), lambda why: why == "PoolNotFound"
        )
        other.kubectl("wait", "--for=delete", "--timeout=120s", "pod/brief-0")
        left = other.kubectl("get", "roles,rolebindings,serviceaccounts", "--output=name")
    finally:
        other.kubectl("delete", "camera", "porch")
        other.kubectl("delete", "camerapool", "brief", "--ignore-not-found")

    assert "/side-worker" in left
    assert "/brief-" not in left
    assert states.holds(other, *CAMERAS) == before


def _readable(workers: dict[str, Client], by: CommandLine, secret: str) -> set[str]:
    """Pools whose workers may read it; without a name: list all."""
    path = f"/api/v1/namespaces/{by.namespace}/secrets/{secret}".rstrip("/")
    return {pool for pool, client in workers.items() if people.answer(client, "GET", path) == 200}
