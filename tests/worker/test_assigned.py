"""What concerns one worker, by two watches that know nothing of each other: in virtual time."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from ingest_core import lenient
from ingest_core.errors import ApiForbidden, ApiUnavailable, RegistryUnavailable
from ingest_core.kube.client import Call
from ingest_core.kube.resources import CAMERAS
from ingest_core.model import Camera
from ingest_core.names import SELECT_PREVIOUS, SELECT_WORKER
from ingest_worker.assigned import AssignedCameras
from tests.fakes.memory_api import put_camera
from tests.fakes.selected_api import SelectedApi, SelectedServer
from tests.fakes.virtual_time import in_virtual_time

ME, OTHER = "default-0", "default-1"


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with capture_logs():
        yield


class Watching:
    """The cameras of one worker, and the server that they are on."""

    def __init__(self, *names: str) -> None:
        self.server = SelectedServer()
        for name in names:
            put_camera(self.server, name)
        self.api = SelectedApi(self.server)
        self.cameras = AssignedCameras(self.api, ME, draw=lambda: 0.5)

    def answer(self, name: str) -> Camera:
        """As a write of our own is answered."""
        return lenient.convert(self.server.find(CAMERAS, name), Camera)

    def workers(self) -> dict[str, tuple[str | None, str | None]]:
        """Worker and previous worker of each camera, as it is known."""
        return {name: _workers(camera) for name, camera in self.cameras.cameras.items()}

    def asked(self) -> int:
        """Times that a single camera was asked for."""
        return sum(
            call.query.get("fieldSelector", "").startswith("metadata.name=")
            for call in self.api.calls("list")
        )


def _workers(camera: Camera) -> tuple[str | None, str | None]:
    assignment = camera.status.assignment
    return (None, None) if assignment is None else (assignment.worker, assignment.previous)


@asynccontextmanager
async def watching(*names: str) -> AsyncIterator[Watching]:
    one = Watching(*names)
    for number, name in enumerate(names):
        one.server.assign(name, ME, number + 1)
    running = asyncio.create_task(one.cameras.run())
    try:
        await told(one)
        yield one
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


async def told(one: Watching) -> None:
    """What happened is known, and what was doubtful is not any more."""
    await one.server.flush()
    await asyncio.sleep(0.5)
    await one.server.flush()


@in_virtual_time
async def test_what_is_assigned_here_or_handed_over_from_here_is_there_and_nothing_else() -> None:
    async with watching("a", "b") as one:
        for name in ("c", "d"):
            put_camera(one.server, name)
        one.server.assign("c", OTHER, 1)
        await told(one)
        assert one.workers() == {"a": (ME, None), "b": (ME, None)}
        one.server.assign("a", OTHER, 5, previous=ME)
        one.server.assign("d", ME, 1, previous=OTHER)
        await told(one)
        assert one.workers() == {"a": (OTHER, ME), "b": (ME, None), "d": (ME, OTHER)}
        assert one.cameras.by_id("d") is one.cameras.cameras["d"]
        assert one.cameras.by_id("c") is None


@in_virtual_time
async def test_of_several_with_one_id_the_oldest_has_it() -> None:
    async with watching("a", "b") as one:
        for name, hour in (("a", 9), ("b", 8)):
            put_camera(one.server, name, cameraId="door")
            stamp = f"2026-11-22T0{hour}:00:00Z"
            one.server.put(CAMERAS, name, metadata={"creationTimestamp": stamp})
        await told(one)
        assert one.cameras.by_id("door") is one.cameras.cameras["b"]


@in_virtual_time
async def test_changes_begin_with_every_name_once_both_watches_are_there() -> None:
    one = Watching("a")
    one.server.assign("a", ME, 1)

    async def later(call: Call) -> None:
        if SELECT_PREVIOUS in call.query.get("fieldSelector", ""):
            await asyncio.sleep(3)

    one.api.before = later
    running = asyncio.create_task(one.cameras.run())
    began = asyncio.get_running_loop().time()
    async with one.cameras.changes() as changes:
        assert await anext(changes) == {"a"}
        assert one.cameras.synced
        assert asyncio.get_running_loop().time() - began >= 3
    running.cancel()
    await asyncio.wait([running])


@pytest.mark.parametrize("late", [SELECT_WORKER, SELECT_PREVIOUS])
@in_virtual_time
async def test_a_camera_that_is_handed_over_is_never_lost_whichever_watch_is_late(
    late: str,
) -> None:
    async with watching("a") as one:
        one.api.hold(late)
        gone = []
        async with one.cameras.changes() as changes:
            await anext(changes)
            one.server.assign("a", OTHER, 2, previous=ME)
            for _ in range(50):
                await told(one)
                gone.append("a" not in one.cameras.cameras)
        assert not any(gone)
        assert one.workers() == {"a": (OTHER, ME)}, "one watch is enough to know"
        one.api.let_go()
        await told(one)
        assert one.workers() == {"a": (OTHER, ME)}


@in_virtual_time
async def test_an_old_version_of_a_late_watch_never_brings_a_camera_back() -> None:
    async with watching("a") as one:
        one.api.hold(SELECT_WORKER)
        one.server.assign("a", OTHER, 2, previous=ME)
        await told(one)
        one.server.assign("a", OTHER, 2)
        for _ in range(20):
            await told(one)
            assert one.workers().get("a") != (ME, None)
        assert one.workers() == {"a": (OTHER, ME)}, "the late watch has it still"
        one.api.let_go()
        await told(one)
        assert one.workers() == {}


@in_virtual_time
async def test_nor_does_one_that_was_never_heard_of() -> None:
    async with watching("a") as one:
        put_camera(one.server, "b")
        one.api.hold(SELECT_WORKER)
        one.server.assign("b", ME, 1)
        one.server.assign("b", OTHER, 2, previous=ME)
        await told(one)
        assert one.workers()["b"] == (OTHER, ME)
        one.server.assign("b", OTHER, 2)
        await told(one)
        assert "b" not in one.workers()
        seen = []
        async with one.cameras.changes() as changes:
            await anext(changes)
            one.api.let_go()
            await told(one)
            one.server.assign("a", ME, 9)
            await told(one)
            while "a" not in (names := await anext(changes)):
                seen.append(names)
        assert "b" not in one.workers()
        assert one.cameras._gone == {}, "it is forgotten once both watches are past it"


@in_virtual_time
async def test_one_that_no_watch_has_is_asked_for_once_and_then_gone() -> None:
    async with watching("a", "b") as one:
        one.server.assign("a", OTHER, 5)
        one.server.drop(CAMERAS, "b")
        await told(one)
        assert one.workers() == {}
        assert one.asked() == 2
        await asyncio.sleep(60)
        assert one.asked() == 2


@in_virtual_time
async def test_while_it_cannot_be_asked_for_it_stays() -> None:
    async with watching("a") as one:

        async def away(call: Call) -> None:
            if "metadata.name" in call.query.get("fieldSelector", ""):
                raise ApiUnavailable("away")

        one.api.before = away
        one.server.assign("a", None, 2)
        await asyncio.sleep(0)
        await told(one)
        assert one.workers() == {"a": (ME, None)}
        await asyncio.sleep(60)
        assert one.workers() == {"a": (ME, None)}
        assert one.asked() < 70
        one.api.before = _nothing
        await asyncio.sleep(2)
        assert one.workers() == {}


@in_virtual_time
async def test_a_handover_that_both_watches_tell_in_time_costs_no_call() -> None:
    async with watching("a", "b", "c") as one:
        calls = len(one.api.asked)
        one.api.hold(SELECT_PREVIOUS)
        for name in "abc":
            one.server.assign(name, OTHER, 9, previous=ME)
        await one.server.flush()
        await asyncio.sleep(0.02)
        one.api.let_go()
        await told(one)
        assert one.workers() == dict.fromkeys("abc", (OTHER, ME))
        assert len(one.api.asked) == calls


@in_virtual_time
async def test_an_answer_is_known_at_once_and_a_late_one_changes_nothing() -> None:
    async with watching("a") as one:
        one.api.hold(SELECT_WORKER)
        one.api.hold(SELECT_PREVIOUS)
        one.server.assign("a", OTHER, 2, previous=ME)
        answer = one.answer("a")
        one.cameras.put(answer)
        assert one.workers() == {"a": (OTHER, ME)}
        one.server.assign("a", OTHER, 2)
        one.cameras.put(one.answer("a"))
        assert one.workers() == {}
        one.cameras.put(answer)
        assert one.workers() == {}
        one.api.let_go()
        await told(one)
        assert one.workers() == {}
        await one.server.bookmark(CAMERAS)
        put_camera(one.server, "b")
        one.server.assign("b", ME, 4)
        await told(one)
        assert one.cameras._gone == {}
        one.cameras.put(answer)
        assert "a" not in one.workers(), "the watches are past it, so it is no news"


@in_virtual_time
async def test_a_refresh_finds_what_no_watch_has_told_yet() -> None:
    async with watching("a", "b") as one:
        put_camera(one.server, "c")
        put_camera(one.server, "d")
        one.api.hold(SELECT_WORKER)
        one.api.hold(SELECT_PREVIOUS)
        one.server.assign("a", OTHER, 9)
        one.server.drop(CAMERAS, "b")
        one.server.assign("c", ME, 9)
        await told(one)
        assert set(one.workers()) == {"a", "b"}
        await one.cameras.refresh()
        assert one.workers() == {"c": (ME, None)}
        one.api.let_go()
        await told(one)
        assert one.workers() == {"c": (ME, None)}


@in_virtual_time
async def test_after_a_refresh_what_was_assigned_before_it_is_no_news() -> None:
    """A watch that lags, or began with an old copy, tells of a camera that went long ago."""
    async with watching("a") as one:
        put_camera(one.server, "c")
        one.api.hold(SELECT_WORKER)
        one.server.assign("c", ME, 9)
        one.server.assign("c", OTHER, 10)
        await told(one)
        await one.cameras.refresh()
        seen: list[set[str]] = []
        async with one.cameras.changes() as changes:
            await anext(changes)
            one.server.assign("a", ME, 11)
            one.api.let_go()
            await told(one)
            seen.append(set(await anext(changes)))
        assert seen == [{"a"}]
        one.server.assign("c", ME, 12)
        await told(one)
        assert set(one.workers()) == {"a", "c"}


NEWER: dict[str, Any] = {"source": {"rtsp": {"url": "rtsp://10.0.0.7/x", "session": "Half"}}}


@in_virtual_time
async def test_a_camera_that_cannot_be_read_keeps_no_other_from_being_read_anew() -> None:
    async with watching("a", "b") as one:
        put_camera(one.server, "b", **NEWER)
        put_camera(one.server, "c")
        one.api.hold(SELECT_WORKER)
        one.server.assign("c", ME, 9)
        await one.cameras.refresh()
        assert set(one.workers()) == {"a", "b", "c"}
        one.api.let_go()


@in_virtual_time
async def test_one_that_was_given_away_is_let_go_of_even_if_it_cannot_be_read() -> None:
    async with watching("a") as one:
        put_camera(one.server, "a", **NEWER)
        await told(one)
        assert set(one.workers()) == {"a"}
        one.server.assign("a", OTHER, 9)
        await told(one)
        assert one.workers() == {}


@pytest.mark.parametrize("error", [ApiUnavailable("away"), ApiForbidden(403, "Forbidden", "no")])
@in_virtual_time
async def test_a_refresh_that_fails_says_so(error: Exception) -> None:
    async with watching("a") as one:

        async def fails(_: Call) -> None:
            raise error

        one.api.before = fails
        with pytest.raises(RegistryUnavailable):
            await one.cameras.refresh()
        assert one.workers() == {"a": (ME, None)}
        one.api.before = _nothing


async def _nothing(_: Call) -> None:
    pass


class Churn:
    """What happens to cameras and watches; `late` are answers that are on their way to us."""

    def __init__(self, one: Watching) -> None:
        self._one = one
        self._server = one.server
        self._late: list[Camera] = []
        self._epoch = 100

    async def give_here(self, name: str) -> None:
        self._assign(name, ME, None)

    async def give_away(self, name: str) -> None:
        self._assign(name, OTHER, None)

    async def hand_over(self, name: str) -> None:
        self._assign(name, OTHER, ME)

    async def take_over(self, name: str) -> None:
        self._assign(name, ME, OTHER)

    async def settle(self, name: str) -> None:
        found = self._server.find(CAMERAS, name)
        if found and (assignment := found.get("status", {}).get("assignment")):
            self._server.assign(name, assignment.get("worker"), assignment["epoch"])

    async def unassign(self, name: str) -> None:
        self._assign(name, None, None)

    async def drop(self, name: str) -> None:
        if self._server.find(CAMERAS, name):
            self._server.drop(CAMERAS, name)

    async def edit(self, name: str) -> None:
        if self._server.find(CAMERAS, name):
            self._epoch += 1
            put_camera(self._server, name, weight=self._epoch)

    async def answered(self, name: str) -> None:
        if self._server.find(CAMERAS, name):
            self._one.cameras.put(self._one.answer(name))

    async def answered_late(self, name: str) -> None:
        if self._server.find(CAMERAS, name):
            self._late.append(self._one.answer(name))

    async def hear(self, _: str) -> None:
        while self._late:
            self._one.cameras.put(self._late.pop())

    async def refresh(self, _: str) -> None:
        await self._one.cameras.refresh()

    async def hold_worker(self, _: str) -> None:
        self._one.api.hold(SELECT_WORKER)

    async def hold_previous(self, _: str) -> None:
        self._one.api.hold(SELECT_PREVIOUS)

    async def let_go(self, _: str) -> None:
        self._one.api.let_go()

    async def cut(self, _: str) -> None:
        await self._server.cut()

    async def forget(self, _: str) -> None:
        self._server.forget()
        await self._server.cut()

    async def tell(self, _: str) -> None:
        await self._server.flush()

    async def wait(self, _: str) -> None:
        await asyncio.sleep(1)

    def _assign(self, name: str, worker: str | None, previous: str | None) -> None:
        if not self._server.find(CAMERAS, name):
            put_camera(self._server, name)
        self._epoch += 1
        self._server.assign(name, worker, self._epoch, previous)


STEPS = (
    Churn.give_here,
    Churn.give_away,
    Churn.hand_over,
    Churn.take_over,
    Churn.settle,
    Churn.unassign,
    Churn.drop,
    Churn.edit,
    Churn.answered,
    Churn.answered_late,
    Churn.hear,
    Churn.refresh,
    Churn.hold_worker,
    Churn.hold_previous,
    Churn.let_go,
    Churn.cut,
    Churn.forget,
    Churn.tell,
    Churn.wait,
)


@given(steps=st.lists(st.tuples(st.sampled_from(STEPS), st.sampled_from("abc")), max_size=50))
def test_nothing_goes_back_and_in_the_end_it_is_what_is_there(
    steps: list[tuple[Callable[[Churn, str], Any], str]],
) -> None:
    _converges(steps)


@in_virtual_time
async def _converges(steps: list[tuple[Callable[[Churn, str], Any], str]]) -> None:
    async with watching("a") as one:
        churn = Churn(one)
        highest: dict[str, int] = {}
        for step, name in steps:
            await step(churn, name)
            for camera in one.cameras.cameras.values():
                at = int(camera.metadata.resource_version)
                assert at >= highest.get(camera.name, 0), "an older version came back"
                highest[camera.name] = at
                assert ME in _workers(camera)
        one.api.let_go()
        await churn.hear("")
        await asyncio.sleep(30)
        await told(one)
        assert one.workers() == {
            camera["metadata"]["name"]: workers
            for camera in one.server.every(CAMERAS)
            if ME in (workers := _workers(lenient.convert(camera, Camera)))
        }
