"""The supervisor against cameras that are played, in virtual time."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from ingest_core.credentials import Credentials
from ingest_core.errors import CaptureError, Failure
from ingest_core.kube.lease import Term
from ingest_core.model import Decode
from ingest_worker.backoff import Backoff
from ingest_worker.capture import (
    Captured,
    Open,
    judge,
    supervise,
)
from ingest_worker.connects import FAILING_CONNECTS, STEADY_CONNECTS, Connects, Line
from ingest_worker.feed import State
from ingest_worker.metrics import WorkerMetrics
from ingest_worker.rtsp import Target
from tests.fakes.cameras import feed_of, rtsp_camera
from tests.fakes.played_camera import (
    PlayedCamera,
    Script,
    crashing,
    deaf,
    failing,
    serving,
    silent,
)
from tests.fakes.virtual_time import in_virtual_time

ALMOST = 1 - 2**-53
REFUSED = Failure.AUTHENTICATION_FAILED


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with capture_logs():
        yield


def target(password: str = "right", connect_seconds: float = 10.0) -> Target:
    return Target(
        url="rtsp://192.0.2.1/",
        transport="TCP",
        credentials=Credentials("user", password),
        ca_file=None,
        verify=True,
        connect_seconds=connect_seconds,
        decode=Decode.ALL,
    )


class Supervised:
    """One camera under `supervise`; `target` is what reading the login gives, or raises."""

    def __init__(
        self,
        *scripts: Script,
        draw: float = 0.0,
        connects: Connects | None = None,
        open_: Open | None = None,
        connect_seconds: float = 10.0,
    ) -> None:
        self.now = asyncio.get_running_loop().time
        self.played = PlayedCamera(*scripts)
        self.target: Target | Exception = target(connect_seconds=connect_seconds)
        self.reading = 0.0  # seconds that it takes to read the login
        self.reads: list[float] = []
        self.states: list[tuple[float, State]] = []
        self.feed = feed_of(rtsp_camera(), clock=self.now, now=self.now)
        self.feed._changed = lambda: self.states.append((self.now(), self.feed.state))
        self.nudged = asyncio.Event()
        self.exposition = CollectorRegistry()
        self.captured = Captured(
            feed=self.feed,
            read_target=self._target,
            connects=connects or Connects(),
            line=Line(),
            metrics=WorkerMetrics(self.exposition, lambda: (self.feed,)),
            nudged=self.nudged,
            open=open_ or self.played.open,
            draw=lambda: draw,
        )

    @property
    def failures(self) -> list[tuple[float, Failure]]:
        return [
            (at, state.reason) for at, state in self.states if isinstance(state.reason, Failure)
        ]

    @property
    def pauses(self) -> list[float]:
        """From each failure to the start of the next session."""
        ends = [at for at, _ in self.failures]
        return [start - end for start, end in zip(self.played.started[1:], ends, strict=False)]

    @property
    def threads(self) -> float | None:
        return self.exposition.get_sample_value("camera_ingest_worker_sessions")

    async def _target(self) -> Target:
        self.reads.append(self.now())
        await asyncio.sleep(self.reading)
        if isinstance(self.target, Exception):
            raise self.target
        return self.target


@asynccontextmanager
async def supervised(*cameras: Supervised) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(supervise(camera.captured)) for camera in cameras]
    yield
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    assert all(task.cancelled() for task in tasks), "only cancellation gets out"


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (Failure.UNREACHABLE, [1, 2, 4, 8, 16, 30, 30]),
        (Failure.STALLED, [1, 2, 4, 8, 16, 30, 30]),
        (Failure.NOT_FOUND, [5, 10, 20, 40, 60, 60]),
        (Failure.UNSUPPORTED_STREAM, [5, 10, 20, 40, 60, 60]),
        (Failure.CAMERA_BUSY, [10, 20, 40, 60, 60]),
        (REFUSED, [30, 60, 120, 240, 480, 600, 600]),
    ],
)
@in_virtual_time
async def test_a_camera_is_left_alone_as_its_failure_wants(
    failure: Failure, expected: list[int]
) -> None:
    camera = Supervised(failing(failure), draw=ALMOST)
    async with supervised(camera):
        await asyncio.sleep(3000)
    assert camera.pauses[: len(expected)] == pytest.approx(expected, abs=1e-3)
    assert {reason for _, reason in camera.failures} == {failure}


@in_virtual_time
async def test_thirty_seconds_of_frames_make_a_camera_as_good_as_new() -> None:
    worn = [failing(Failure.UNREACHABLE)] * 5
    camera = Supervised(*worn, serving(31), failing(Failure.UNREACHABLE), draw=ALMOST)
    async with supervised(camera):
        await asyncio.sleep(120)
    assert camera.pauses[:7] == pytest.approx([1, 2, 4, 8, 16, 1, 2], abs=1e-3)


@in_virtual_time
async def test_twenty_nine_seconds_of_frames_do_not() -> None:
    worn = [failing(Failure.UNREACHABLE)] * 5
    camera = Supervised(*worn, serving(29), failing(Failure.UNREACHABLE), draw=ALMOST)
    async with supervised(camera):
        await asyncio.sleep(150)
    assert camera.pauses[5] == pytest.approx(30, abs=1e-3)


@in_virtual_time
async def test_a_minute_of_connecting_for_one_frame_is_no_health() -> None:
    worn = [failing(Failure.UNREACHABLE)] * 5
    camera = Supervised(*worn, serving(0, connecting=60), draw=ALMOST, connect_seconds=90)
    async with supervised(camera):
        await asyncio.sleep(200)
    assert camera.pauses[5] == pytest.approx(30, abs=1e-3)


@in_virtual_time
async def test_a_camera_that_let_us_in_and_now_answers_401_is_busy_but_twice_at_most() -> None:
    camera = Supervised(serving(1), failing(REFUSED))
    async with supervised(camera):
        await asyncio.sleep(60)
    reasons = [reason for _, reason in camera.failures]
    busy = Failure.CAMERA_BUSY
    assert reasons[:5] == [Failure.UNREACHABLE, busy, busy, REFUSED, REFUSED]


@in_virtual_time
async def test_another_password_than_the_one_that_was_good_is_simply_refused() -> None:
    camera = Supervised(serving(1), failing(REFUSED))
    async with supervised(camera):
        await asyncio.sleep(1.2)
        camera.target = target("another")
        await asyncio.sleep(5)
    assert [reason for _, reason in camera.failures] == [Failure.UNREACHABLE, REFUSED]


@pytest.mark.parametrize("failure", [one for one in Failure if one is not REFUSED])
def test_only_a_refused_login_is_judged(failure: Failure) -> None:
    assert judge(failure, Backoff(), trusted=True) is failure


def test_a_login_that_never_worked_is_refused() -> None:
    assert judge(REFUSED, Backoff(), trusted=False) is REFUSED


@in_virtual_time
async def test_a_refused_login_is_tried_again_at_once_when_another_one_is_told_of() -> None:
    camera = Supervised(failing(REFUSED), serving(10))
    async with supervised(camera):
        await asyncio.sleep(5)
        camera.nudged.set()
        await asyncio.sleep(5)
        assert len(camera.played.started) == 1, "it is the same login still"
        camera.target = target("another")
        camera.nudged.set()
        await asyncio.sleep(0.3)
        assert camera.feed.state.connected


@in_virtual_time
async def test_a_login_that_nobody_tells_of_is_found_within_thirty_seconds() -> None:
    camera = Supervised(failing(REFUSED), failing(REFUSED), serving(10), draw=ALMOST)
    async with supervised(camera):
        await asyncio.sleep(40)
        assert len(camera.played.started) == 2
        camera.target = target("another")
        await asyncio.sleep(30)
        assert camera.feed.state.connected


@in_virtual_time
async def test_a_missing_secret_is_waited_for_and_found() -> None:
    camera = Supervised(serving(10), draw=ALMOST)
    camera.target = CaptureError(Failure.CREDENTIALS_MISSING, "no secret")
    async with supervised(camera):
        await asyncio.sleep(100)
        assert camera.played.started == []
        assert camera.feed.state.reason is Failure.CREDENTIALS_MISSING
        camera.target = target()
        camera.nudged.set()
        await asyncio.sleep(0.3)
        assert camera.feed.state.connected


@in_virtual_time
async def test_a_secret_that_is_made_after_its_camera_is_found_soon() -> None:
    camera = Supervised(serving(10), draw=ALMOST)
    camera.target = CaptureError(Failure.CREDENTIALS_MISSING, "no secret")
    async with supervised(camera):
        await asyncio.sleep(100)
        pauses = [after - before for before, after in pairwise(camera.reads)]
        assert pauses[:7] == pytest.approx([0.5, 1, 2, 4, 8, 14.5, 0], abs=0.01)
        assert len(camera.reads) < 25
    soon = Supervised(serving(10), draw=ALMOST)
    soon.target = CaptureError(Failure.CREDENTIALS_MISSING, "no secret")
    async with supervised(soon):
        await asyncio.sleep(0.4)
        soon.target = target()
        await asyncio.sleep(0.3)
        assert soon.feed.state.connected


@in_virtual_time
async def test_being_told_of_the_camera_makes_nobody_wait_longer_for_its_secret() -> None:
    camera = Supervised(serving(10), draw=ALMOST)
    camera.target = CaptureError(Failure.CREDENTIALS_MISSING, "no secret")
    async with supervised(camera):
        for _ in range(5):  # as each report of ours is told back to us
            await asyncio.sleep(0.01)
            camera.nudged.set()
        await asyncio.sleep(0.01)
        camera.target = target()
        await asyncio.sleep(0.7)
        assert camera.feed.state.connected


@in_virtual_time
async def test_while_a_login_cannot_be_read_the_one_that_worked_counts() -> None:
    camera = Supervised(serving(5), serving(5), serving(100))
    async with supervised(camera):
        await asyncio.sleep(3)
        camera.target = CaptureError(Failure.UNREACHABLE, "the API server is away")
        await asyncio.sleep(10)
        assert camera.feed.state.connected
        assert len(camera.played.started) == 3
    never = Supervised(serving(5), draw=0.5)
    never.target = CaptureError(Failure.UNREACHABLE, "the API server is away")
    async with supervised(never):
        await asyncio.sleep(10)
        assert never.played.started == []
        assert never.feed.state.reason is Failure.UNREACHABLE


@in_virtual_time
async def test_no_session_begins_behind_its_fence() -> None:
    camera = Supervised(serving(5), draw=0.5)
    term = Term(camera.now(), camera.now() + 3)
    camera.captured = replace(camera.captured, fence=term)
    async with supervised(camera):
        await asyncio.sleep(2)
        assert camera.feed.state.connected
        await asyncio.sleep(60)
        assert len(camera.played.started) == 1
        assert camera.played.living == 0
        assert camera.feed.state.reason is Failure.LEASE_EXPIRED


@in_virtual_time
async def test_one_that_is_cancelled_while_it_waits_for_its_turn_holds_no_line() -> None:
    connects = Connects(steady=1)
    holder, waiting = Supervised(silent, connects=connects), Supervised(serving(5))
    waiting.captured = replace(waiting.captured, connects=connects)
    async with supervised(holder):
        await asyncio.sleep(1)
        async with supervised(waiting):
            await asyncio.sleep(1)
        assert waiting.played.started == []
        assert waiting.captured.line.free
    async with supervised(waiting):
        await asyncio.sleep(1)
        assert waiting.feed.state.connected


@in_virtual_time
async def test_dead_cameras_never_delay_one_that_only_lost_its_cable() -> None:
    connects = Connects()
    dead = [Supervised(silent, connects=connects) for _ in range(60)]
    async with supervised(*dead):
        await asyncio.sleep(200)
        steady = Supervised(serving(31), connects=connects)
        async with supervised(steady):
            await asyncio.sleep(330)
        assert len(steady.played.started) > 9
        assert max(steady.pauses) < 0.001


@in_virtual_time
async def test_no_more_connect_at_once_than_the_two_lanes_hold() -> None:
    connects = Connects()
    dead = [Supervised(silent, connects=connects) for _ in range(100)]
    connecting = []
    async with supervised(*dead):
        for _ in range(200):
            await asyncio.sleep(1)
            connecting.append(sum(camera.played.connecting for camera in dead))
    assert connecting[0] == STEADY_CONNECTS
    assert max(connecting) == STEADY_CONNECTS + FAILING_CONNECTS
    assert connecting[-1] == FAILING_CONNECTS


@in_virtual_time
async def test_a_place_is_given_back_as_soon_as_a_picture_came() -> None:
    connects = Connects(steady=1)
    cameras = [Supervised(serving(100), connects=connects) for _ in range(3)]
    async with supervised(*cameras):
        await asyncio.sleep(0.5)
        assert all(camera.feed.state.connected for camera in cameras)


@in_virtual_time
async def test_a_thread_that_hangs_is_told_on_time_and_the_next_session_waits_for_it() -> None:
    camera = Supervised(deaf(60), serving(10), connect_seconds=5)
    began = camera.now()
    async with supervised(camera):
        await asyncio.sleep(30)
        told, reason = camera.failures[0]
        assert 5 < told - began <= 6
        assert reason is Failure.STALLED
        assert len(camera.played.started) == 1
        assert camera.threads == 1
        await asyncio.sleep(31)
        assert camera.feed.state.connected
    assert camera.played.started[1] - began == pytest.approx(60, abs=0.01)
    assert camera.played.most == 1
    assert camera.threads == 0


@in_virtual_time
async def test_a_thread_that_hangs_holds_no_place_of_those_who_connect() -> None:
    connects = Connects(steady=1, failing=1)
    hanging = Supervised(deaf(1000), connects=connects, connect_seconds=1)
    async with supervised(hanging):
        await asyncio.sleep(10)
        other = Supervised(serving(100), connects=connects)
        async with supervised(other):
            await asyncio.sleep(0.5)
            assert other.feed.state.connected


@in_virtual_time
async def test_a_camera_that_connected_and_went_silent_has_stalled() -> None:
    async def stalls(session: Any) -> CaptureError:
        session.frame()
        return await silent(session)

    camera = Supervised(stalls)
    began = camera.now()
    async with supervised(camera):
        await asyncio.sleep(15)
    told, reason = camera.failures[0]
    assert reason is Failure.STALLED
    assert 10 <= told - began <= 11


@pytest.mark.parametrize("script", [serving(0.5), deaf(1.2), silent, failing(REFUSED, after=0.3)])
@in_virtual_time
async def test_cancelled_at_any_moment_it_leaves_no_session_behind(script: Script) -> None:
    for tenths in range(45):
        connects = Connects(steady=1)
        holder = Supervised(serving(1, connecting=0.45), connects=connects)
        camera = Supervised(script, connects=connects, connect_seconds=0.4)
        camera.reading = 0.2
        async with supervised(holder, camera):
            await asyncio.sleep(tenths * 0.05)
        started = len(camera.played.started)
        await asyncio.sleep(2)
        assert len(camera.played.started) == started
        assert camera.played.living == 0
        assert camera.played.most <= 1
        assert camera.threads == 0
        assert len(asyncio.all_tasks()) == 1


@in_virtual_time
async def test_cancelled_in_any_turn_of_the_loop_it_leaves_no_session_behind() -> None:
    for turns in range(30):
        camera = Supervised(serving(0, connecting=0), serving(5))
        async with supervised(camera):
            for _ in range(turns):
                await asyncio.sleep(0)
        await asyncio.sleep(1)
        assert camera.played.living == 0
        assert camera.threads == 0


class Unstartable:
    """A session whose thread cannot be started."""

    def __init__(self, *_: Any, **__: Any) -> None:
        self.opened = self.first = None

    def start(self) -> None:
        raise RuntimeError("can't start new thread")


def unopenable(*_: Any, **__: Any) -> Any:
    raise LookupError("a bug in opening")


@pytest.mark.parametrize(
    ("crash", "error"),
    [
        ({"scripts": [crashing(ZeroDivisionError("a bug in the thread"))]}, ZeroDivisionError),
        ({"open_": Unstartable}, RuntimeError),
        ({"open_": unopenable}, LookupError),
        ({"target": KeyError("a bug in reading the login")}, KeyError),
    ],
)
@in_virtual_time
async def test_a_crash_is_logged_with_its_traceback_and_stops_no_sibling(
    crash: dict[str, Any], error: type[Exception]
) -> None:
    with capture_logs() as logs:
        camera = Supervised(*crash.get("scripts", ()), open_=crash.get("open_"), draw=0.5)
        camera.target = crash.get("target", camera.target)
        sibling = Supervised(serving(1000))
        async with supervised(camera, sibling):
            await asyncio.sleep(100)
            assert sibling.feed.state.connected
            assert len(sibling.played.started) == 1
    crashes = [line for line in logs if line["event"] == "capture_crashed"]
    assert len(crashes) == len(camera.failures) > 4
    assert {reason for _, reason in camera.failures} == {Failure.CRASHED}
    assert all(line["log_level"] == "error" for line in crashes)
    assert all(line["exc_info"] is True or isinstance(line["exc_info"], error) for line in crashes)


@in_virtual_time
async def test_a_failure_is_told_aloud_once_and_quietly_while_it_lasts() -> None:
    with capture_logs() as logs:
        camera = Supervised(*[failing(Failure.UNREACHABLE)] * 5, failing(REFUSED))
        async with supervised(camera):
            await asyncio.sleep(50)
    told = [line for line in logs if line["event"] == "camera_disconnected"]
    loud = [line["reason"] for line in told if line["log_level"] == "warning"]
    assert loud == ["Unreachable", "AuthenticationFailed"]
    assert [line["failures"] for line in told[:6]] == [1, 2, 3, 4, 5, 6]
    assert all("right" not in str(line) for line in told)


@in_virtual_time
async def test_what_a_session_took_is_measured_once_it_shows_a_picture() -> None:
    camera = Supervised(failing(Failure.UNREACHABLE), serving(10))
    async with supervised(camera):
        await asyncio.sleep(5)
    samples = camera.exposition.get_sample_value
    assert samples("camera_ingest_connect_seconds_count") == 1
    assert samples("camera_ingest_first_frame_seconds_count") == 1
