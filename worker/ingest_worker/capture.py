"""Keep one session with one RTSP camera: run it, say why it ended, leave it alone for a while.

`supervise` runs until it is cancelled and holds the retry policy; `capture` is one session and only
ever raises. A camera that hangs costs its own thread and nothing else.
"""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, Never, Protocol, TypeVar

import structlog

from ingest_core.errors import CaptureError, Failure
from ingest_core.model import ConnectedReason
from ingest_worker.backoff import Backoff
from ingest_worker.connects import Connects, Line
from ingest_worker.deadline import OPEN, Deadline, Fence
from ingest_worker.feed import Feed
from ingest_worker.metrics import WorkerMetrics
from ingest_worker.rtsp import Session, Target
from ingest_worker.stamp import StreamClock

T = TypeVar("T")

log: structlog.stdlib.BoundLogger = structlog.get_logger()

_GRACE: Final = 0.5  # s that a session's thread has to notice that it must end
_LOGIN_POLL: Final = 30.0  # s after which a refused login is read again, as nobody tells of Secrets
_MISSING_POLL: Final = 0.5  # s after which a missing one is, doubled up to that: it is on its way
_BELIEVED: Final = 2  # 401s in a row, after a success with the same login, that mean "too many"


class Opened(Protocol):
    """A session as `capture` sees it: see rtsp.Session."""

    deadline: Deadline
    opened: float | None
    first: float | None

    def start(self) -> None: ...
    def stop(self) -> None: ...
    def timed_out(self) -> CaptureError: ...


class Open(Protocol):
    """The seam to a camera; rtsp.Session is the real one. Both calls come from its thread."""

    def __call__(
        self,
        target: Target,
        feed: Feed,
        clock: StreamClock,
        *,
        showed: Callable[[], None],
        ended: Callable[[CaptureError], None],
        fence: Fence,
    ) -> Opened: ...


@dataclass(frozen=True, slots=True)
class Captured:
    """What `supervise` is given.

    Attributes:
        feed: The camera's.
        read_target: Puts together what a session needs, login included, read now; raises a
            CaptureError of CREDENTIALS_MISSING when a Secret is not there.
        connects: The worker's.
        line: The camera's; it outlives this supervision, as a session that hangs may.
        metrics: The worker's.
        nudged: Set when the camera or its Secret may have changed.
        open: See Open.
        fence: What no session with this camera must outlive.
        draw: Evenly distributed in [0, 1).
    """

    feed: Feed
    read_target: Callable[[], Awaitable[Target]]
    connects: Connects
    line: Line
    metrics: WorkerMetrics
    nudged: asyncio.Event
    open: Open = Session
    fence: Fence = OPEN
    draw: Callable[[], float] = random.random


async def supervise(camera: Captured) -> Never:
    """Capture until cancelled. Only cancellation gets out; every failure costs a delay."""
    backoff, clock = Backoff(), StreamClock()
    feed = camera.feed
    trusted: Target | None = None  # the last one that brought a picture
    target: Target | None = None
    delay = 0.0
    while True:
        sessions = feed.sessions
        try:
            await _leave_alone(camera, target, backoff.last, delay)
            target = None
            feed.say(ConnectedReason.CONNECTING)
            camera.nudged.clear()
            target = await _target(camera, trusted)
            await capture(camera, target, clock, backoff.failures)
        except CaptureError as error:
            ended = error
            if error.failure is Failure.CRASHED:
                log.exception("capture_crashed", exc_info=error.__cause__ or error)
        except Exception:  # the one blanket except: a bug here must not stop a sibling
            log.exception("capture_crashed")
            ended = CaptureError(Failure.CRASHED, "a bug of Camera Ingest; the log has it")
        connected = feed.sessions > sessions
        trusted = target if connected else trusted
        failure = judge(ended.failure, backoff, trusted=target is not None and target == trusted)
        repeated = failure is backoff.last and not connected
        backoff = backoff.failed(failure, feed.uptime)
        delay = backoff.delay(camera.draw())
        feed.disconnected(failure, str(ended))
        say = log.debug if repeated else log.warning
        say(
            "camera_disconnected",
            reason=failure.value,
            message=str(ended),
            failures=backoff.failures,
            retry_seconds=round(delay, 1),
        )


async def _target(camera: Captured, trusted: Target | None) -> Target:
    """What a session needs, as it is now; while that cannot be read, what served the last one.

    Raises:
        CaptureError: Neither is there.
    """
    try:
        return await camera.read_target()
    except CaptureError as error:
        if error.failure is not Failure.UNREACHABLE or trusted is None:
            raise
        log.info("login_not_read", message=str(error))
        return trusted


def judge(failure: Failure, backoff: Backoff, *, trusted: bool) -> Failure:
    """Some cameras answer 401 when all their sessions are taken: so does one that let us in before.

    Args:
        failure: Of the session that ended.
        backoff: Before that failure is counted.
        trusted: The very same login brought pictures before.
    """
    if failure is not Failure.AUTHENTICATION_FAILED or not trusted:
        return failure
    busy = backoff.counts.get(Failure.CAMERA_BUSY, 0) < _BELIEVED
    return Failure.CAMERA_BUSY if busy else failure


async def capture(camera: Captured, target: Target, clock: StreamClock, failures: int) -> Never:
    """Run one session until it fails.

    Raises:
        CaptureError: It ended, and why. So has its thread, unless it hangs in a system call: then
            it lingers, and holds the line until it has.
    """
    loop = asyncio.get_running_loop()
    over: asyncio.Future[CaptureError] = loop.create_future()
    shown: asyncio.Future[None] = loop.create_future()

    def settle(future: asyncio.Future[T], value: T) -> None:
        if not future.done():
            future.set_result(value)

    def tell(future: asyncio.Future[T], value: T) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is left to be told
            loop.call_soon_threadsafe(settle, future, value)

    session = camera.open(
        target,
        camera.feed,
        clock,
        showed=lambda: tell(shown, None),
        ended=lambda error: tell(over, error),
        fence=camera.fence,
    )
    await camera.line.take(over)
    began = False
    try:
        async with camera.connects.slot(failures):
            _demand_within(camera.fence, session)  # it may have waited long for its turn
            session.start()
            began = True
            camera.metrics.sessions.inc()
            over.add_done_callback(lambda _: camera.metrics.sessions.dec())
            await _until(session, over, shown)
    except BaseException:
        if began:
            await _stop(session, over)
        else:
            over.cancel()  # or the line would wait for a thread that there never was
        raise
    try:
        if not over.done():
            camera.metrics.connected(session)
            log.info("camera_connected")
            await _until(session, over)
    finally:
        await _stop(session, over)
    raise over.result()


def _demand_within(fence: Fence, session: Opened) -> None:
    """Raises CaptureError: no session may begin any more."""
    if asyncio.get_running_loop().time() >= fence.until:
        raise session.timed_out()


async def _until(session: Opened, *futures: asyncio.Future[Any]) -> None:
    """Wait for one of the futures.

    Raises:
        CaptureError: The session is past its deadline, and its thread did not notice.
    """
    now = asyncio.get_running_loop().time
    while True:
        patience = session.deadline.at + _GRACE - now()
        if patience <= 0:
            raise session.timed_out()
        done, _ = await asyncio.wait(futures, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
        if done:
            return


async def _stop(session: Opened, over: asyncio.Future[CaptureError]) -> None:
    session.stop()
    if not over.done():
        await asyncio.wait([over], timeout=_GRACE)


async def _leave_alone(
    camera: Captured, target: Target | None, failure: Failure | None, delay: float
) -> None:
    """Wait; but a login that was refused or missing is tried again as soon as it is another."""
    if failure not in (Failure.AUTHENTICATION_FAILED, Failure.CREDENTIALS_MISSING):
        await asyncio.sleep(delay)
        return
    now = asyncio.get_running_loop().time
    until = now() + delay
    pause = _MISSING_POLL if failure is Failure.CREDENTIALS_MISSING else _LOGIN_POLL
    while (left := until - now()) > 0:
        try:
            async with asyncio.timeout(min(left, pause)):
                await camera.nudged.wait()
        except TimeoutError:
            pause = min(_LOGIN_POLL, 2 * pause)
        camera.nudged.clear()
        with contextlib.suppress(CaptureError):
            if await camera.read_target() != target:
                return
