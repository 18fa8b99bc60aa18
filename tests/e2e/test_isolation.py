"""Two installations in two namespaces that have the same names for everything: nothing crosses.

Each test tries to cross. What accounts may ask for in each other's namespace: test_foreign_tokens.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import msgspec
import pytest

from tests.cluster.command_line import CommandLine, Failed
from tests.e2e import states, tenant
from tests.e2e.door import Door, door
from tests.e2e.events import Event, connected, heard
from tests.e2e.site import Site, forwarded
from tests.fakes.footage import pixels

SERVICE: Final = f"service/{tenant.GATEWAY}"


@pytest.fixture(scope="module")
def here(cameras: CommandLine) -> Iterator[Door]:
    """The gateway of the first installation."""
    with forwarded(cameras, SERVICE, 80) as place:
        yield door(f"http://{place}")


@pytest.fixture(scope="module")
def there(other: CommandLine) -> Iterator[Door]:
    """That of the second one."""
    with forwarded(other, SERVICE, 80) as place:
        yield door(f"http://{place}")


@contextmanager
def stray(by: CommandLine, camera: dict[str, Any]) -> Iterator[str]:
    """A Camera, by its name, until the block ends."""
    tenant.apply(by, camera)
    name = str(camera["metadata"]["name"])
    try:
        yield name
    finally:
        by.kubectl("delete", "camera", name)


def test_cameras_of_one_name_on_workers_of_one_name_are_each_namespaces_own(
    here: Door, there: Door, cameras: CommandLine, other: CommandLine
) -> None:
    pictures = [pixels(one.ask("/api/cameras/lobby/frame/latest").data) for one in (here, there)]

    assert states.holds(other, "lobby")["lobby"].worker == "default-0"
    assert "default-0" in cameras.kubectl("get", "pods", "--output=name")
    assert [one.shape for one in pictures] == [(360, 640, 3), (tenant.HEIGHT, tenant.WIDTH, 3)]


@pytest.mark.parametrize(
    "path", ["alley", "other/alley", "other%2Falley", "..%2F..%2Fother%2Falley", "alley.other"]
)
def test_a_gateway_knows_no_camera_of_another_namespace(here: Door, there: Door, path: str) -> None:
    assert there.ask("/api/cameras/alley").status == 200

    assert here.ask(f"/api/cameras/{path}").status == 404
    assert here.ask(f"/api/cameras/{path}/frame/latest").status == 404


def test_a_gateway_lists_the_cameras_of_its_own_namespace_only(here: Door, there: Door) -> None:
    listed = [
        {one["id"]: one["source_url"] for one in _json(each, "/api/cameras")["items"]}
        for each in (here, there)
    ]

    assert "alley" not in listed[0]
    assert listed[0].keys() >= {"lobby", "yard", "door"}
    assert listed[1].keys() == {"lobby", "yard", "door", "alley"}


def test_a_camera_that_names_the_pool_of_another_namespace_has_none(
    cameras: CommandLine, other: CommandLine
) -> None:
    assert states.reason(other, "alley", "Assigned") == "Assigned"  # there it is

    with stray(cameras, tenant.camera("stray", "cam1", pool="side")) as name:
        found = states.until(lambda: states.reason(cameras, name, "Assigned"), bool)

    assert found == "PoolNotFound"


@pytest.mark.parametrize(
    "camera",
    [
        tenant.camera("stray", "cam1", pool="cameras/default"),
        tenant.camera("stray", "cam1", login="cameras/simulated-login"),
    ],
)
def test_a_camera_cannot_name_a_namespace_beside_a_pool_or_a_secret(
    other: CommandLine, camera: dict[str, Any]
) -> None:
    with pytest.raises(Failed, match=r"Camera \"stray\" is invalid: spec\."):
        tenant.apply(other, camera)


def test_a_camera_where_nothing_is_installed_is_nobodys(site: Site, other: CommandLine) -> None:
    nowhere = site.within("nowhere")
    nowhere.kubectl("create", "namespace", nowhere.namespace)
    try:
        tenant.apply(nowhere, tenant.camera("lobby", "cam1"))
        with stray(other, tenant.camera("newer", "cam1")) as newer:
            tenant.await_ready(other, newer)  # applied later, and seen by who looks at it

        assert states.status(nowhere, "lobby") == {}
    finally:
        nowhere.kubectl("delete", "namespace", nowhere.namespace, "--wait=false")


def test_a_login_is_that_of_the_cameras_own_namespace(
    cameras: CommandLine, other: CommandLine
) -> None:
    simulator = f"simulator.{cameras.namespace}:8554"

    # The Secret of this name in the camera's own namespace would let it in.
    with stray(other, tenant.camera("thief", "cam1", host=simulator)) as name:
        states.until(lambda: states.reason(other, name), lambda why: why == "AuthenticationFailed")


def test_events_stay_with_the_redis_of_their_installation(
    cameras: CommandLine, other: CommandLine
) -> None:
    with connected(cameras, "deployment/cameras-camera-ingest-redis") as redis:
        ours = heard(redis, {"lobby", "yard"})
    with connected(other, "deployment/redis", tenant.REDIS.text) as redis:
        theirs = heard(redis, {"lobby", "yard", "alley"})

    assert {"default-0", "side-0"} <= {one.worker for one in theirs}
    assert "side-0" not in {one.worker for one in ours}
    assert {one.source for one in ours} & {one.source for one in theirs} == set()
    assert (_widths(ours), _widths(theirs)) == ({640}, {tenant.WIDTH})


def test_a_worker_that_dies_moves_no_camera_of_another_namespace(
    cameras: CommandLine, other: CommandLine
) -> None:
    before = states.holds(cameras, "lobby", "yard")
    dead = states.holds(other, "lobby")["lobby"]
    other.kubectl("delete", "pod", dead.worker, "--grace-period=0", "--force")
    after = states.until(
        lambda: states.holds(other, "lobby")["lobby"],
        lambda hold: hold.pod != dead.pod and hold.connected != dead.connected,
    )

    assert after.holder != dead.holder
    assert states.holds(cameras, "lobby", "yard") == before


def _json(door: Door, path: str) -> Any:
    return msgspec.json.decode(door.ask(path).data)


def _widths(events: tuple[Event, ...]) -> set[int]:
    """Of the pictures of the camera that both have."""
    connected = (one for one in events if (one.subject, one.type) == ("lobby", "camera.connected"))
    return {one.data["width"] for one in connected}
