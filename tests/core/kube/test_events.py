"""Kubernetes Events: told once, counted after that, dropped and counted where nobody listens."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from ingest_core.errors import ApiForbidden, ApiUnavailable
from ingest_core.kube.client import Call
from ingest_core.kube.events import REMEMBERED, SAME_SECONDS, WAITING, Recorder
from ingest_core.kube.resources import CAMERAS, EVENTS, POOLS
from ingest_core.model import Metadata
from ingest_core.names import OBJECT_NAME_PATTERN
from tests.fakes.memory_api import MemoryApi, MemoryServer
from tests.fakes.virtual_time import in_virtual_time

LOBBY = Metadata(name="lobby", uid="uid-1")


class Telling:
    """A recorder that runs, and what became of what it was told."""

    def __init__(self) -> None:
        self.server = MemoryServer()
        self.api = MemoryApi(self.server)
        self.dropped = 0
        now = asyncio.get_running_loop().time
        self.recorder = Recorder(
            self.api, "camera-ingest-operator", "pod-0", drop=self._drop, now=now
        )

    def _drop(self) -> None:
        self.dropped += 1

    def tell(self, reason: str = "WorkerLost", message: str = "", of: Metadata = LOBBY) -> None:
        self.recorder.tell(CAMERAS, of, "Warning", reason, message)

    def told(self) -> list[tuple[str, int, str]]:
        """Reason, count and message of every Event."""
        return [(one["reason"], one["count"], one["message"]) for one in self.events()]

    def events(self) -> list[Any]:
        return self.server.every(EVENTS)


@asynccontextmanager
async def telling() -> AsyncIterator[Telling]:
    made = Telling()
    running = asyncio.create_task(made.recorder.run())
    try:
        yield made
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


async def away(_call: Call) -> None:
    raise ApiUnavailable("the API server does not answer")


async def forbidden(_call: Call) -> None:
    raise ApiForbidden(403, "Forbidden", "no")


async def for_ever(_call: Call) -> None:
    await asyncio.Event().wait()


async def at_once(_call: Call) -> None:
    pass


@in_virtual_time
async def test_a_fact_is_an_event_about_its_object() -> None:
    async with telling() as one:
        one.tell(message="gone for 12 s")
        await asyncio.sleep(1)
        (event,) = one.events()
        assert event["involvedObject"] == {
            "apiVersion": "camera-ingest.io/v1alpha1",
            "kind": "Camera",
            "namespace": "test",
            "name": "lobby",
            "uid": "uid-1",
        }
        assert event["metadata"]["namespace"] == "test"
        assert event["metadata"]["name"].startswith("lobby.")
        assert (event["type"], event["reason"], event["count"]) == ("Warning", "WorkerLost", 1)
        assert event["source"] == {"component": "camera-ingest-operator", "host": "pod-0"}
        assert event["firstTimestamp"] == event["lastTimestamp"]
        assert event["message"] == "gone for 12 s"
        assert one.dropped == 0


@in_virtual_time
async def test_the_same_thing_again_is_counted_on_the_same_event() -> None:
    async with telling() as one:
        for number in range(50):
            one.tell(message=f"for the {number}. time")
            await asyncio.sleep(SAME_SECONDS - 1)
        assert one.told() == [("WorkerLost", 50, "for the 49. time")]


@in_virtual_time
async def test_another_thing_is_another_event() -> None:
    async with telling() as one:
        one.tell()
        one.tell(reason="Assigned")
        one.tell(of=Metadata(name="door", uid="uid-2"))
        one.tell(of=Metadata(name="lobby", uid="uid-3"))  # made anew under the same name
        one.recorder.tell(POOLS, LOBBY, "Warning", "WorkerLost", "")
        await asyncio.sleep(1)
        assert [one_["count"] for one_ in one.events()] == [1] * 5


@in_virtual_time
async def test_the_same_thing_much_later_is_another_event() -> None:
    async with telling() as one:
        one.tell()
        await asyncio.sleep(SAME_SECONDS + 1)
        one.tell()
        await asyncio.sleep(1)
        assert [count for _, count, _ in one.told()] == [1, 1]


@in_virtual_time
async def test_one_that_the_server_swept_is_made_anew() -> None:
    async with telling() as one:
        one.tell()
        await asyncio.sleep(1)
        one.server.drop(EVENTS, one.events()[0]["metadata"]["name"])
        for _ in range(3):
            one.tell()
        await asyncio.sleep(1)
        assert [count for _, count, _ in one.told()] == [3]
        assert one.dropped == 0


@in_virtual_time
async def test_what_comes_faster_than_it_can_be_told_is_dropped_and_counted() -> None:
    async with telling() as one:
        one.api.before = for_ever
        one.tell(reason="First")
        await asyncio.sleep(0)
        for number in range(1000):
            one.tell(reason=f"Reason{number}")
        assert one.dropped == 1000 - WAITING
        one.api.before = at_once


@pytest.mark.parametrize("trouble", [away, forbidden])
def test_what_the_server_does_not_take_is_dropped_and_counted_and_the_rest_is_told(
    trouble: Any,
) -> None:
    _drops(trouble)


@in_virtual_time
async def _drops(trouble: Any) -> None:
    async with telling() as one:
        one.api.before = trouble
        for number in range(100):
            one.tell(reason=f"Reason{number}")
        await asyncio.sleep(60)
        assert 20 <= one.dropped <= 40  # a try each two seconds, not as fast as it can
        one.api.before = at_once
        await asyncio.sleep(5)
        assert len(one.events()) + one.dropped == 100


@in_virtual_time
async def test_what_it_remembers_is_bounded() -> None:
    async with telling() as one:
        one.tell(reason="Often")
        one.tell(reason="Often")
        for number in range(REMEMBERED + 200):
            one.tell(reason=f"Reason{number}")
            if number % 100 == 99:
                one.tell(reason="Often")
                await asyncio.sleep(1)
        await asyncio.sleep(1)
        assert len(one.recorder._told) == REMEMBERED
        assert ("Often", 14, "") in one.told()  # what goes on is not forgotten
        one.tell(reason="Reason0")  # forgotten: an Event of its own
        one.tell(reason=f"Reason{REMEMBERED}")
        await asyncio.sleep(1)
        counts = [(reason, count) for reason, count, _ in one.told()]
        assert counts.count(("Reason0", 1)) == 2
        assert (f"Reason{REMEMBERED}", 2) in counts


@pytest.mark.parametrize("end", ["-", ".", ".-.", "x"])
def test_its_name_is_one_however_long_that_of_its_object_is(end: str) -> None:
    _has_a_name(end)


@in_virtual_time
async def _has_a_name(end: str) -> None:
    async with telling() as one:
        one.tell(of=Metadata(name="a" * (200 - len(end)) + end + "b" * 53))
        await asyncio.sleep(1)
        (event,) = one.events()
        assert re.match(OBJECT_NAME_PATTERN, event["metadata"]["name"])
        assert ".." not in event["metadata"]["name"]
        assert "-." not in event["metadata"]["name"]


@in_virtual_time
async def test_a_long_message_is_cut() -> None:
    async with telling() as one:
        one.tell(message="x" * 5000)
        await asyncio.sleep(1)
        assert [len(message) for _, _, message in one.told()] == [1024]
