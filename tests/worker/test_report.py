"""What is written to the registry: conditions from a state, on transitions, merged, and later."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest_core.errors import Failure, RegistryUnavailable
from ingest_core.model import Camera, Condition, ConnectedReason, Reason, Stream
from ingest_worker.feed import Feed, State
from ingest_worker.report import RETRY_SECONDS, Reporter
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
    """Notes what is reported, and when; away as long as `away` says."""

    def __init__(self) -> None:
        super().__init__()
        self.away = False
        self.attempts: list[float] = []
        self.reports: list[tuple[str, str]] = []

    async def report(
        self,
        camera: Camera,
        stream: Stream,  # noqa: ARG002 - part of the protocol
        conditions: tuple[Condition, ...],
    ) -> None:
        self.attempts.append(asyncio.get_running_loop().time())
        if self.away:
            raise RegistryUnavailable("away")
        self.reports.append((camera.name, conditions[0].reason))


class Reporting:
    def __init__(self) -> None:
        self.registry = Registry()
        self.captured: dict[str, tuple[Camera, Feed]] = {}
        self.reporter = Reporter(self.registry, "w", lambda: self.captured, draw=lambda: 0.5)
        for name in ("a", "b"):
            self.captured[name] = (push_camera(name), feed_of(push_camera(name)))

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
