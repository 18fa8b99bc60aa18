"""A camera that plays one script a session: rtsp.Session without a thread, in the loop's time."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from ingest_core.errors import CaptureError, Failure
from ingest_worker.deadline import Deadline, Fence
from ingest_worker.feed import Feed
from ingest_worker.ring import JPEG
from ingest_worker.rtsp import Target
from ingest_worker.stamp import StreamClock
from tests.fakes import footage

NOTICES = 0.1  # seconds after which a session's thread sees that it must end

Script = Callable[["PlayedSession"], Awaitable[CaptureError]]


class PlayedCamera:
    """Plays its scripts in order, and the last one for ever.

    Attributes:
        started: When each session began.
        living: Sessions whose thread has not ended; `most`: how many at once, ever.
        connecting: Those of them that have not shown a picture.
    """

    def __init__(self, *scripts: Script) -> None:
        self._scripts = deque(scripts)
        self.started: list[float] = []
        self.living = self.most = self.connecting = 0

    def open(
        self,
        target: Target,
        feed: Feed,
        clock: StreamClock,  # noqa: ARG002 - part of the protocol
        *,
        showed: Callable[[], None],
        ended: Callable[[CaptureError], None],
        fence: Fence,
    ) -> "PlayedSession":
        script = self._scripts[0] if len(self._scripts) == 1 else self._scripts.popleft()
        return PlayedSession(self, script, target, feed, showed=showed, ended=ended, fence=fence)


class PlayedSession:
    """See capture.Opened."""

    def __init__(
        self,
        camera: PlayedCamera,
        script: Script,
        target: Target,
        feed: Feed,
        *,
        showed: Callable[[], None],
        ended: Callable[[CaptureError], None],
        fence: Fence,
    ) -> None:
        self._camera = camera
        self._script = script
        self._target = target
        self._feed = feed
        self._showed = showed
        self._ended = ended
        self._fence = fence
        self._now = asyncio.get_running_loop().time
        self.deadline = Deadline(0)
        self.opened: float | None = None
        self.first: float | None = None

    def start(self) -> None:
        camera = self._camera
        camera.started.append(self._now())
        camera.living += 1
        camera.connecting += 1
        camera.most = max(camera.most, camera.living)
        self.deadline.at = self._now() + self._target.connect_seconds
        self._thread = asyncio.create_task(self._run())

    def stop(self) -> None:
        self.deadline.stopped = True

    def timed_out(self) -> CaptureError:
        if self._now() >= self._fence.until:
            return CaptureError(Failure.LEASE_EXPIRED, "the fence is over")
        return CaptureError(Failure.STALLED, "the deadline is over")

    @property
    def over(self) -> bool:
        now = self._now()
        return self.deadline.stopped or now > self.deadline.at or now >= self._fence.until

    def frame(self) -> None:
        """A frame comes and is shown."""
        feed = self._feed
        frame = feed.take(footage.jpeg(), keyframe=True, timestamp=self._now(), codec=JPEG)
        feed.show(frame, None)
        feed.connected(JPEG, (64, 48))
        self.deadline.at = self._now() + feed.patience
        if self.first is None:
            self.opened = self.first = 0.1
            self._camera.connecting -= 1
            self._showed()

    async def _run(self) -> None:
        try:
            error = await self._script(self)
        finally:
            self._camera.living -= 1
            if self.first is None:
                self._camera.connecting -= 1
        self._ended(error)


def failing(failure: Failure, after: float = 0.0) -> Script:
    """No picture, but this."""

    async def play(_: PlayedSession) -> CaptureError:
        await asyncio.sleep(after)
        return CaptureError(failure, f"played: {failure}")

    return play


def serving(
    seconds: float, then: Failure = Failure.UNREACHABLE, *, connecting: float = 0.1
) -> Script:
    """Frames for some seconds, five a second, then a failure; stops when it is told to."""

    async def play(session: PlayedSession) -> CaptureError:
        await asyncio.sleep(connecting)
        for _ in range(round(seconds * 5) + 1):
            if session.over:
                return session.timed_out()
            session.frame()
            await asyncio.sleep(0.2)
        return CaptureError(then, f"played: {then}")

    return play


async def silent(session: PlayedSession) -> CaptureError:
    """Neither a picture nor an end, until the deadline or a stop."""
    while not session.over:  # noqa: ASYNC110 - a deadline that passes sets no event
        await asyncio.sleep(NOTICES)
    return session.timed_out()


def deaf(seconds: float) -> Script:
    """The thread hangs and notices nothing for so long."""

    async def play(session: PlayedSession) -> CaptureError:
        await asyncio.sleep(seconds)
        return session.timed_out()

    return play


def crashing(error: Exception) -> Script:
    """A bug in the session's thread, told as rtsp.Session tells it."""

    async def play(_: PlayedSession) -> CaptureError:
        await asyncio.sleep(0)
        crash = CaptureError(Failure.CRASHED, type(error).__name__)
        crash.__cause__ = error
        return crash

    return play
