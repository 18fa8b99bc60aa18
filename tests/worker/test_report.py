"""What is written to the registry: conditions from a state, on transitions, merged, and later."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from prometheus_client import CollectorRegistry

from ingest_core import metrics
from ingest_core.errors import (
    ApiInvalid,
    Failure,
    IngestError,
    RegistryUnavailable,
    Superseded,
)
from ingest_core.model import Assignment, Camera, Condition, ConnectedReason, Reason, Stream
from ingest_worker.feed import Feed, State
from ingest_worker.report import BURST, RATE, RETRY_SECONDS, Reporter
from ingest_worker.ring import JPEG
from ingest_worker.status import conditions, stream
from tests.fakes.cameras import feed_of, push_camera
from tests.fakes.memory_registry import MemoryRegistry
from tests.fakes.virtual_time import in_virtual_time

SINCE = 1_763_801_000.123
REASONS: list[Reason] = [*ConnectedReason, *Failure]


@pytest.mark.parametrize(
    ("connected", "reason", "expected"),
    [
        (True, ConnectedReason.CONNECTED, ("True", "True")),
        (False, ConnectedReason.CONNECTING, ("Unknown", "False")),
        (False, ConnectedReason.WAITING_FOR_PUSH, ("Unknown", "False")),
        (False, ConnectedReason.SUSPENDED, ("False", "False")),
        (False, ConnectedReason.RELEASED, ("False", "False")),
        (False, Failure.STALLED, ("False", "False")),
        (False, Failure.CREDENTIALS_MISSING, ("False", "False")),
    ],
)
def test_a_state_becomes_two_conditions(
    connected: bool,  # noqa: FBT001 - a table's column
    reason: Reason,
    expected: tuple[str, str],
) -> None:
    both = conditions(State(connected, reason, "why", SINCE), generation=3)
    assert tuple(one.status for one in both) == expected
    assert [one.type for one in both] == ["Connected", "Ready"]
    for one in both:
        assert (one.reason, one.message, one.observed_generation) == (reason.value, "why", 3)
        assert one.last_transition_time == "", "that is for the registry to say"


@given(st.booleans(), st.sampled_from(REASONS), st.text(max_size=20), st.integers(0, 99))
def test_ready_is_never_true_without_a_connection(
    connected: bool,  # noqa: FBT001 - drawn
    reason: Reason,
    message: str,
    generation: int,
) -> None:
    seen, ready = conditions(State(connected, reason, message, SINCE), generation)
    assert (ready.status == "True") == connected
    assert ready.status != "Unknown"
    assert seen.status in (ready.status, "Unknown")


def test_a_stream_says_what_came_and_nothing_that_did_not() -> None:
    feed = feed_of(push_camera(epoch=4))
    assert stream(feed, "w") == Stream(worker="w", epoch=4, sessions=0)
    feed.connected(JPEG, (64, 48))
    said = stream(feed, "w")
    assert (said.codec, said.width, said.height, said.sessions) == ("mjpeg", 64, 48, 1)
    assert said.connected_time is not None
    feed.disconnected(Failure.STALLED, "")
    assert stream(feed, "w").connected_time is None


class Registry(MemoryRegistry):
    """Notes what is reported, and when; fails as long as `errors` says so, by camera."""

    def __init__(self) -> None:
        super().__init__()
        self.away = False
        self.errors: dict[str, IngestError] = {}
        self.attempts: list[float] = []
        self.reports: list[tuple[str, str]] = []
        self.released: list[tuple[float, int]] = []
        self.times: list[float] = []
        self.taking = 0.0  # seconds that a report takes

    async def report(
        self,
        camera: Camera,
        stream: Stream,  # noqa: ARG002 - part of the protocol
        conditions: tuple[Condition, ...],
    ) -> None:
        now = asyncio.get_running_loop().time()
        self.attempts.append(now)
        await asyncio.sleep(self.taking)
        if self.away:
            raise RegistryUnavailable("away")
        if camera.name in self.errors:
            raise self.errors[camera.name]
        self.reports.append((camera.name, conditions[0].reason))
        self.times.append(now)

    async def release(self, camera: Camera) -> None:
        await asyncio.sleep(self.taking)
        if self.away:
            raise RegistryUnavailable("away")
        self.released.append((asyncio.get_running_loop().time(), camera.epoch))


class Reporting:
    def __init__(self) -> None:
        self.now = asyncio.get_running_loop().time
        self.registry = Registry()
        self.captured: dict[str, tuple[Camera, Feed]] = {}
        self.told: list[tuple[str, bool]] = []
        self.exposition = CollectorRegistry()
        self.reporter = Reporter(
            self.registry,
            "w",
            lambda: self.captured,
            told=lambda camera, _, state: self.told.append((camera.name, state.connected)),
            results=metrics.REPORTS.counter(self.exposition),
            draw=lambda: 0.5,
        )
        for name in ("a", "b"):
            self.add(name)

    def add(self, name: str, previous: str | None = None) -> None:
        camera = push_camera(name)
        assignment = Assignment(worker="w", epoch=1, previous=previous)
        moving = replace(camera, status=replace(camera.status, assignment=assignment))
        self.captured[name] = (moving, feed_of(camera))

    def counted(self, result: str) -> float | None:
        return self.exposition.get_sample_value("camera_ingest_reports_total", {"result": result})

    def feed(self, name: str = "a") -> Feed:
        return self.captured[name][1]


@asynccontextmanager
async def reporting() -> AsyncIterator[Reporting]:
    one = Reporting()
    task = asyncio.create_task(one.reporter.run())
    yield one
    task.cancel()
    await asyncio.wait([task])


@in_virtual_time
async def test_what_changes_within_a_moment_is_written_once() -> None:
    async with reporting() as one:
        for _ in range(100):
            one.feed().connected(JPEG, (64, 48))
            one.reporter.changed("a")
            one.feed().disconnected(Failure.STALLED, "silent")
            one.reporter.changed("a")
        one.reporter.changed("b")
        await asyncio.sleep(10)
        assert sorted(one.registry.reports) == [("a", "Stalled"), ("b", "Connecting")]


@in_virtual_time
async def test_a_retry_that_fails_alike_is_not_written_again() -> None:
    async with reporting() as one:
        for message in ("silent", "silent", "still silent"):
            one.feed().disconnected(Failure.STALLED, message)
            one.reporter.changed("a")
            await asyncio.sleep(10)
        assert one.registry.reports == [("a", "Stalled")] * 2


@in_virtual_time
async def test_a_registry_that_is_away_is_asked_seldom_and_told_the_truth_later() -> None:
    async with reporting() as one:
        one.registry.away = True
        one.feed().disconnected(Failure.STALLED, "silent")
        one.reporter.changed("a")
        await asyncio.sleep(60)
        pauses = [later - at for at, later in pairwise(one.registry.attempts)]
        assert len(pauses) > 5
        assert min(pauses) >= RETRY_SECONDS
        one.feed().connected(JPEG, (64, 48))
        one.registry.away = False
        await asyncio.sleep(10)
        assert one.registry.reports == [("a", "Connected")]


@in_virtual_time
async def test_a_camera_that_is_gone_is_not_reported_and_is_told_anew_when_it_comes_back() -> None:
    async with reporting() as one:
        one.reporter.changed("a")
        await asyncio.sleep(1)
        mine = one.captured.pop("a")
        one.reporter.changed("a")
        await asyncio.sleep(1)
        assert one.registry.reports == [("a", "Connecting")]
        one.captured["a"] = mine
        one.reporter.changed("a")
        await asyncio.sleep(1)
        assert one.registry.reports == [("a", "Connecting")] * 2


@in_virtual_time
async def test_a_superseded_report_is_left() -> None:
    async with reporting() as one:
        one.registry.errors["a"] = Superseded("later")
        for _ in range(3):
            one.reporter.changed("a")
            await asyncio.sleep(20)
        assert len(one.registry.attempts) == 1
        assert (one.counted("superseded"), one.counted("refused")) == (1, None)
        assert one.told == []


@in_virtual_time
async def test_one_that_is_refused_is_tried_again_and_delays_no_other() -> None:
    async with reporting() as one:
        one.registry.errors["a"] = ApiInvalid(422, "Invalid", "a field of ours that is not known")
        one.reporter.changed("a")
        for _ in range(30):
            one.feed("b").disconnected(Failure.STALLED, f"silent {len(one.registry.reports)}")
            one.reporter.changed("b")
            await asyncio.sleep(1)
        assert [name for name, _ in one.registry.reports] == ["b"] * 30
        refused = one.counted("refused")
        assert refused is not None
        assert 3 < refused < 8
        del one.registry.errors["a"]
        await asyncio.sleep(15)
        assert one.registry.reports[-1] == ("a", "Connecting")


@in_virtual_time
async def test_an_outage_of_every_camera_is_told_without_a_storm() -> None:
    async with reporting() as one:
        for number in range(200):
            one.add(f"cam-{number}")
            one.reporter.changed(f"cam-{number}")
        await asyncio.sleep(60)
        assert len(one.registry.reports) == 200
        times = sorted(one.registry.times)
        for first, begin in enumerate(times):
            within = sum(begin <= at < begin + 1 for at in times[first:])
            assert within <= BURST + RATE + 1
        assert times[-1] - times[0] < 12


@in_virtual_time
async def test_a_handover_waits_for_nothing() -> None:
    async with reporting() as one:
        for number in range(200):
            one.add(f"cam-{number}")
            one.reporter.changed(f"cam-{number}")
        await asyncio.sleep(1)
        one.add("moving", previous="another")
        began = one.now()
        one.reporter.changed("moving")
        await asyncio.sleep(1)
        assert "moving" not in [name for name, _ in one.registry.reports], "it says nothing yet"
        one.feed("moving").connected(JPEG, (64, 48))
        began = one.now()
        one.reporter.changed("moving")
        one.reporter.release(push_camera("leaving", epoch=9))
        await asyncio.sleep(0.01)
        assert ("moving", "Connected") in one.registry.reports
        assert one.registry.released == [(began, 9)]


@in_virtual_time
async def test_a_release_is_written_later_when_the_registry_is_away() -> None:
    async with reporting() as one:
        one.registry.away = True
        one.reporter.release(push_camera("leaving", epoch=9))
        await asyncio.sleep(20)
        one.reporter.release(push_camera("leaving", epoch=10))
        await asyncio.sleep(20)
        one.registry.away = False
        await asyncio.sleep(15)
        assert [epoch for _, epoch in one.registry.released] == [10]


@in_virtual_time
async def test_a_release_that_is_newer_than_one_on_its_way_is_the_one_that_counts() -> None:
    async with reporting() as one:
        one.registry.away, one.registry.taking = True, 1.0
        one.reporter.release(push_camera("leaving", epoch=9))
        await asyncio.sleep(0.5)
        one.reporter.release(push_camera("leaving", epoch=10))
        await asyncio.sleep(1)
        one.registry.away = False
        await asyncio.sleep(30)
        assert [epoch for _, epoch in one.registry.released] == [10]


@in_virtual_time
async def test_writes_of_one_camera_never_overtake_each_other() -> None:
    async with reporting() as one:
        one.registry.taking = 1.0
        one.reporter.changed("a")
        await asyncio.sleep(0.5)
        one.feed().connected(JPEG, (64, 48))
        one.reporter.changed("a")
        one.reporter.changed("b")
        await asyncio.sleep(10)
        assert [reason for name, reason in one.registry.reports if name == "a"] == [
            "Connecting",
            "Connected",
        ]
        first, second = one.registry.times[0], one.registry.times[-1]
        assert second - first >= 1.0


@in_virtual_time
async def test_what_is_as_before_once_a_write_is_done_is_told_again() -> None:
    async with reporting() as one:
        one.registry.taking = 1.0
        one.feed().disconnected(Failure.AUTHENTICATION_FAILED, "")
        one.reporter.changed("a")
        await asyncio.sleep(5)
        one.feed().say(ConnectedReason.CONNECTING)
        one.reporter.changed("a")
        await asyncio.sleep(0.5)
        one.feed().disconnected(Failure.AUTHENTICATION_FAILED, "")
        one.reporter.changed("a")
        await asyncio.sleep(5)
        told = [reason for name, reason in one.registry.reports if name == "a"]
        assert told == ["AuthenticationFailed", "Connecting", "AuthenticationFailed"]


@in_virtual_time
async def test_people_are_told_of_connects_and_disconnects_once_they_are_written() -> None:
    async with reporting() as one:
        one.reporter.changed("a")
        await asyncio.sleep(1)
        assert one.told == []
        one.registry.away = True
        one.feed().connected(JPEG, (64, 48))
        one.reporter.changed("a")
        await asyncio.sleep(1)
        assert one.told == []
        one.registry.away = False
        await asyncio.sleep(10)
        one.feed().connected(JPEG, (640, 480))
        one.reporter.changed("a")
        await asyncio.sleep(1)
        for message in ("silent", "still silent"):
            one.feed().disconnected(Failure.STALLED, message)
            one.reporter.changed("a")
            await asyncio.sleep(1)
        assert one.told == [("a", True), ("a", False)]


@in_virtual_time
async def test_of_one_that_never_was_connected_people_are_told_once_for_each_failure() -> None:
    async with reporting() as one:

        async def say(reason: Failure | ConnectedReason) -> None:
            one.feed().disconnected(reason, "")
            one.reporter.changed("a")
            await asyncio.sleep(3)

        await say(ConnectedReason.CONNECTING)
        assert one.told == []
        for _ in range(3):
            await say(Failure.UNREACHABLE)
            await say(ConnectedReason.CONNECTING)
        assert one.told == [("a", False)]
        await say(Failure.AUTHENTICATION_FAILED)
        await say(Failure.UNREACHABLE)
        assert one.told == [("a", False), ("a", False)]
        one.feed().connected(JPEG, (64, 48))
        one.reporter.changed("a")
        await asyncio.sleep(1)
        for failure in (Failure.STALLED, Failure.UNREACHABLE, Failure.NOT_FOUND):
            await say(failure)
        assert one.told[2:] == [("a", True), ("a", False)], "then of disconnects only"


@in_virtual_time
async def test_of_a_camera_that_comes_back_people_are_told_anew() -> None:
    async with reporting() as one:
        for _ in range(2):
            one.feed().disconnected(Failure.UNREACHABLE, "")
            one.reporter.changed("a")
            await asyncio.sleep(1)
            gone = one.captured.pop("a")
            one.reporter.changed("a")
            await asyncio.sleep(1)
            one.captured["a"] = gone
        assert one.told == [("a", False), ("a", False)]


def written(camera: Camera, feed: Feed, ready: Condition | None = None) -> Camera:
    """The camera with our report in its status, and maybe another Ready over it."""
    told, own = stream(feed, "w"), conditions(feed.state, camera.metadata.generation)
    status = replace(camera.status, stream=told, conditions=(own[0], ready or own[1]))
    return replace(camera, status=status)


@in_virtual_time
async def test_what_stands_as_it_was_told_is_not_told_again() -> None:
    async with reporting() as one:
        one.feed().connected(JPEG, (64, 48))
        one.reporter.changed("a")
        await asyncio.sleep(1)
        one.reporter.seen(written(*one.captured["a"]))
        await asyncio.sleep(1)
        assert one.registry.reports == [("a", "Connected")]


@in_virtual_time
async def test_what_somebody_wrote_over_is_told_again() -> None:
    lost = Condition(type="Ready", status="False", reason="WorkerLost")
    async with reporting() as one:
        one.feed().connected(JPEG, (64, 48))
        one.reporter.changed("a")
        await asyncio.sleep(1)
        one.reporter.seen(written(*one.captured["a"], ready=lost))
        await asyncio.sleep(1)
        assert one.registry.reports == [("a", "Connected")] * 2


@in_virtual_time
async def test_the_word_of_a_later_assignment_is_not_contradicted() -> None:
    async with reporting() as one:
        one.feed().connected(JPEG, (64, 48))
        one.reporter.changed("a")
        await asyncio.sleep(1)
        camera, feed = one.captured["a"]
        status = replace(camera.status, stream=replace(stream(feed, "v"), epoch=camera.epoch + 1))
        one.reporter.seen(replace(camera, status=status))
        await asyncio.sleep(1)
        assert one.registry.reports == [("a", "Connected")]
