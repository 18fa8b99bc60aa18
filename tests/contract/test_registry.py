"""What holds for every registry, whatever it is made of: directory, API server, memory.

Where an operator assigns and a worker reports over a network, that is seen a moment later: the
tests wait for what must come, and look at what must not come after it would have.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any, Protocol

import pytest
from msgspec.structs import replace

from ingest_core.errors import CameraExists, InvalidManifest, SecretMissing, UnknownCamera
from ingest_core.model import (
    CONNECTED,
    READY,
    Camera,
    CameraSpec,
    Condition,
    PushSource,
    RtspSource,
    Source,
    Stream,
)
from ingest_core.registry import CameraRegistry, WorkerRegistry
from ingest_standalone.directory import DirectoryRegistry
from tests.fakes.cluster_registry import cluster_registry
from tests.fakes.memory_registry import MemoryRegistry

RTSP = CameraSpec(source=Source(rtsp=RtspSource(url="rtsp://10.0.0.7/x")))
PUSH = CameraSpec(source=Source(push=PushSource()))
LOGIN = {"username": "admin", "password": "hunter2: '\"#%\\ é 😀"}


class Registry(WorkerRegistry, CameraRegistry, Protocol):
    """Both sides of the seam."""


@pytest.fixture(params=["directory", "memory", "kubernetes"])
async def registry(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Registry]:
    if request.param == "memory":
        yield MemoryRegistry(worker="standalone")
    elif request.param == "directory":
        async with DirectoryRegistry(tmp_path) as directory:
            yield directory
    else:
        server = request.getfixturevalue("api_server")
        namespace = request.getfixturevalue("namespace")
        async with cluster_registry(server, namespace, tmp_path) as cluster:
            yield cluster


async def seen(registry: Registry, name: str, holds: Callable[[Camera], bool]) -> Camera:
    """The camera, as soon as something holds of it."""
    async with asyncio.timeout(5), registry.changes() as changes:
        async for _ in changes:
            if name in registry.cameras and holds(registry.cameras[name]):
                break
    return registry.cameras[name]


async def created(
    registry: Registry, name: str, spec: CameraSpec, secret: dict[str, str] | None = None
) -> Camera:
    """A camera that is there and has a worker: nobody has anything to do with it any more."""
    await registry.create(name, spec, secret or {})
    return await seen(registry, name, lambda camera: camera.status.assignment is not None)


async def told(changes: AsyncIterator[AbstractSet[str]], names: set[str]) -> None:
    """These names come, doubled or not, and no other."""
    left = set(names)
    async with asyncio.timeout(5):
        while left:
            news = await anext(changes)
            assert news <= names
            left -= news


def login_of(camera: Camera) -> str:
    assert camera.spec.source.rtsp is not None
    assert camera.spec.source.rtsp.credentials_secret_ref is not None
    return camera.spec.source.rtsp.credentials_secret_ref.name


def by_type(camera: Camera) -> dict[str, Condition]:
    return {one.type: one for one in camera.status.conditions}


def connected(status: Any, reason: str) -> Condition:
    return Condition(type=CONNECTED, status=status, reason=reason)


async def test_a_registry_that_is_empty_is_synced_and_has_nothing(registry: Registry) -> None:
    assert registry.synced
    assert dict(registry.cameras) == {}
    assert registry.by_id("lobby") is None


async def test_a_created_camera_is_there_by_name_and_by_id_and_is_assigned(
    registry: Registry,
) -> None:
    made = await registry.create("cam-001-x", replace(RTSP, camera_id="cam_001"), {})
    assert registry.cameras["cam-001-x"] is registry.by_id("cam_001")
    assert registry.cameras["cam-001-x"].metadata.uid == made.metadata.uid
    assert registry.by_id("cam-001-x") is None
    camera = await seen(registry, "cam-001-x", lambda one: one.status.assignment is not None)
    assert camera.status.assignment is not None
    assert camera.status.assignment.worker == "standalone"
    assert camera.epoch >= 1
    assert (camera.metadata.generation, bool(camera.metadata.uid)) == (1, True)


async def test_a_login_is_kept_in_a_secret_that_the_spec_names(registry: Registry) -> None:
    camera = await registry.create("lobby", RTSP, LOGIN)
    name = login_of(camera)
    for key, value in LOGIN.items():
        assert await registry.secret(name, key) == value


async def test_a_token_is_kept_in_a_secret_that_the_spec_names(registry: Registry) -> None:
    camera = await registry.create("door", PUSH, {"token": "t"})
    assert camera.spec.source.push is not None
    ref = camera.spec.source.push.token_secret_ref
    assert ref is not None
    assert await registry.secret(ref.name, ref.key) == "t"


async def test_a_taken_name_and_a_taken_id_are_refused(registry: Registry) -> None:
    await registry.create("lobby", RTSP, {})
    with pytest.raises(CameraExists):
        await registry.create("lobby", replace(RTSP, camera_id="other"), {})
    with pytest.raises(CameraExists):
        await registry.create("other", replace(RTSP, camera_id="lobby"), {})
    assert list(registry.cameras) == ["lobby"]


async def test_of_many_creations_at_once_one_wins(registry: Registry) -> None:
    every = (registry.create("lobby", RTSP, LOGIN) for _ in range(5))
    made = await asyncio.gather(*every, return_exceptions=True)
    assert sorted(type(one).__name__ for one in made) == ["Camera"] + ["CameraExists"] * 4
    assert await registry.secret(login_of(registry.cameras["lobby"]), "username") == "admin"


@pytest.mark.parametrize("name", ["", "Lobby", "../lobby", "a/b", ".lobby", "a\n", "x" * 254])
async def test_a_name_that_is_none_is_refused(registry: Registry, name: str) -> None:
    with pytest.raises(InvalidManifest, match=r"metadata\.name"):
        await registry.create(name, replace(RTSP, camera_id="lobby"), {})
    assert dict(registry.cameras) == {}


async def test_a_spec_that_breaks_a_rule_is_refused(registry: Registry) -> None:
    broken = CameraSpec(source=Source())
    with pytest.raises(InvalidManifest):
        await registry.create("lobby", broken, {})
    await registry.create("lobby", RTSP, {})
    with pytest.raises(InvalidManifest):
        await registry.replace("lobby", broken, None)
    assert registry.cameras["lobby"].spec == RTSP


async def test_another_spec_is_another_generation_of_the_same_camera(registry: Registry) -> None:
    before = await created(registry, "lobby", RTSP)
    after = await registry.replace("lobby", replace(RTSP, weight=7), None)
    assert (after.spec.weight, after.metadata.generation) == (7, 2)
    assert (after.metadata.uid, after.epoch) == (before.metadata.uid, before.epoch)
    assert after.metadata.resource_version != before.metadata.resource_version
    assert registry.cameras["lobby"].spec == after.spec


async def test_the_same_spec_is_the_same_generation(registry: Registry) -> None:
    await registry.create("lobby", RTSP, {})
    after = await registry.replace("lobby", RTSP, None)
    assert after.metadata.generation == 1


async def test_another_spec_keeps_the_login(registry: Registry) -> None:
    camera = await registry.create("lobby", RTSP, LOGIN)
    after = await registry.replace("lobby", replace(camera.spec, weight=7), None)
    assert await registry.secret(login_of(after), "password") == LOGIN["password"]


async def test_another_login_takes_the_place_of_the_first(registry: Registry) -> None:
    before = await registry.create("lobby", RTSP, LOGIN)
    after = await registry.replace("lobby", before.spec, {"username": "root", "password": "p"})
    assert await registry.secret(login_of(after), "username") == "root"
    assert after.metadata.generation == 2
    with pytest.raises(SecretMissing):
        await registry.secret(login_of(before), "username")


async def test_a_login_that_no_spec_names_any_more_is_gone(registry: Registry) -> None:
    before = await registry.create("lobby", RTSP, LOGIN)
    await registry.replace("lobby", RTSP, None)
    with pytest.raises(SecretMissing):
        await registry.secret(login_of(before), "username")


async def test_the_own_secret_of_another_camera_cannot_be_named(registry: Registry) -> None:
    theirs = (await registry.create("lobby", RTSP, LOGIN)).spec
    with pytest.raises(InvalidManifest, match=r"credentialsSecretRef\.name: is the login"):
        await registry.create("mine", theirs, {})
    mine = await registry.create("mine", RTSP, LOGIN)
    with pytest.raises(InvalidManifest, match=r"credentialsSecretRef\.name: is the login"):
        await registry.replace("mine", theirs, None)
    now = registry.cameras["mine"]
    assert (now.metadata.uid, now.spec) == (mine.metadata.uid, mine.spec)


async def test_an_id_is_immutable(registry: Registry) -> None:
    await registry.create("lobby", RTSP, {})
    with pytest.raises(InvalidManifest, match="immutable"):
        await registry.replace("lobby", replace(RTSP, camera_id="other"), None)


async def test_a_deleted_camera_is_gone_and_its_secret_with_it(registry: Registry) -> None:
    camera = await registry.create("lobby", RTSP, LOGIN)
    await registry.delete("lobby")
    assert dict(registry.cameras) == {}
    assert registry.by_id("lobby") is None
    with pytest.raises(SecretMissing):
        await registry.secret(login_of(camera), "username")


async def test_what_is_not_there_is_unknown(registry: Registry) -> None:
    with pytest.raises(UnknownCamera):
        await registry.replace("lobby", RTSP, None)
    with pytest.raises(UnknownCamera):
        await registry.delete("lobby")
    with pytest.raises(SecretMissing):
        await registry.secret("login", "username")


async def test_a_camera_made_again_is_another_one_with_a_greater_epoch(
    registry: Registry,
) -> None:
    first = await created(registry, "lobby", RTSP)
    await registry.delete("lobby")
    second = await created(registry, "lobby", RTSP)
    assert second.epoch > first.epoch
    assert second.metadata.uid != first.metadata.uid


async def test_changes_begin_with_every_name_and_then_tell_what_to_look_at(
    registry: Registry,
) -> None:
    await created(registry, "lobby", RTSP)
    async with registry.changes() as changes:
        assert await anext(changes) == {"lobby"}
        await created(registry, "door", PUSH)
        await told(changes, {"door"})
        await registry.replace("lobby", replace(RTSP, weight=7), None)
        await registry.delete("door")
        await told(changes, {"lobby", "door"})


async def test_changes_of_an_empty_registry_begin_with_no_name(registry: Registry) -> None:
    async with registry.changes() as changes:
        assert await anext(changes) == set()


async def test_every_reader_is_told(registry: Registry) -> None:
    async with registry.changes() as one, registry.changes() as other:
        await anext(one), await anext(other)
        await registry.create("lobby", RTSP, {})
        await told(one, {"lobby"})
        await told(other, {"lobby"})


async def test_a_report_is_seen_by_everyone_and_leaves_the_assignment(registry: Registry) -> None:
    camera = await created(registry, "lobby", RTSP)
    stream = Stream(worker="standalone", epoch=camera.epoch, codec="h264", sessions=1)
    async with registry.changes() as changes:
        await anext(changes)
        await registry.report(camera, stream, (connected("True", "Connected"),))
        await told(changes, {"lobby"})
    status = (await seen(registry, "lobby", lambda one: one.status.stream is not None)).status
    assert (status.stream, status.assignment) == (stream, camera.status.assignment)
    assert status.observed_generation == 1
    assert registry.cameras["lobby"].metadata.generation == 1


async def test_conditions_merge_by_type_and_are_as_old_as_their_status(
    registry: Registry,
) -> None:
    camera = await created(registry, "lobby", RTSP)
    stream = Stream(worker="standalone", epoch=camera.epoch)
    ready = Condition(type=READY, status="True", reason="Connected")
    await registry.report(camera, stream, (connected("False", "Connecting"), ready))
    before = by_type(await seen(registry, "lobby", lambda one: CONNECTED in by_type(one)))
    await registry.report(camera, stream, (connected("False", "Unreachable"),))
    after = by_type(
        await seen(registry, "lobby", lambda one: by_type(one)[CONNECTED].reason == "Unreachable")
    )
    assert after[READY] == before[READY]
    assert after[CONNECTED].last_transition_time == before[CONNECTED].last_transition_time
    assert after[CONNECTED].last_transition_time != ""
    assert after[CONNECTED].observed_generation == 1


async def test_a_report_on_a_camera_that_is_gone_or_another_is_no_error(
    registry: Registry,
) -> None:
    first = await created(registry, "lobby", RTSP)
    stream = Stream(worker="standalone", epoch=first.epoch, sessions=1)
    await registry.delete("lobby")
    await registry.report(first, stream, ())
    second = await created(registry, "lobby", RTSP)
    await registry.report(first, stream, ())
    await created(registry, "later", PUSH)
    assert registry.cameras["lobby"] == second


async def test_a_report_does_not_undo_a_new_spec(registry: Registry) -> None:
    before = await created(registry, "lobby", RTSP)
    await registry.replace("lobby", replace(RTSP, weight=7), None)
    stream = Stream(worker="standalone", epoch=before.epoch, sessions=1)
    await registry.report(before, stream, ())
    camera = await seen(registry, "lobby", lambda one: one.status.stream is not None)
    assert (camera.spec.weight, camera.metadata.generation) == (7, 2)
    assert camera.status.observed_generation == 1
