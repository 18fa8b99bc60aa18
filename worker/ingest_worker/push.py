"""Frames that a device pushes: the equal of RTSP, with the body in the place of the session.

Bounded before anything is read, a JPEG by its header before anything is decoded, in rate by a
token bucket. Decides on the event loop; only motion's decoding goes to a thread, and what comes
while one picture is being looked at is not looked at.
"""

import asyncio
import contextlib
import hmac
import time
import zlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Executor
from dataclasses import replace
from typing import Final, Never

import structlog

from ingest_core.errors import CaptureError, Failure, NotCaptured, PushRefused
from ingest_core.model import ConnectedReason, PushSource
from ingest_worker import jpeg, render
from ingest_worker.feed import Feed
from ingest_worker.ring import JPEG

log: structlog.stdlib.BoundLogger = structlog.get_logger()

MAX_BODIES: Final = 4  # of one camera that are read at once
CLOCK_SECONDS: Final = 5.0  # by which a device's clock may be off and still be believed
TRUST_SECONDS: Final = 600.0  # for which a device is taken at its word, once its clock was right
_ANALYSED_WIDTH: Final = 320
_REMEMBERED: Final = 256  # timestamps that are known again
_CHECK_SECONDS: Final = 1.0
_TOKEN_SECONDS: Final = 30.0  # after which the token is read again, as nobody tells of Secrets
_MISSING_SECONDS: Final = 0.5  # after which a missing one is, doubled up to that: it is on its way


class Push:
    """The receiving end of one push camera. Owner: the event loop."""

    def __init__(
        self,
        source: PushSource,
        feed: Feed,
        executor: Executor,
        *,
        clock: Callable[[], float] = time.time,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._source = source
        self._feed = feed
        self._executor = executor
        self.token: str | None = None
        self._clock = clock
        self._now = now
        self._tokens = float(source.max_fps)
        self._filled = now()
        self._known: OrderedDict[float, tuple[int, int | None]] = OrderedDict()
        self._newest = feed.newest.frame.timestamp if feed.newest else 0.0
        self._right_until = now()
        self._looking = False
        self._reading = 0
        self._closed = False

    @property
    def max_bytes(self) -> int:
        """Bytes of a frame at most."""
        return self._source.max_frame_bytes

    def admit(self, bearer: str | None) -> None:
        """Decide, before the body is read, whether a frame may come.

        Raises:
            PushRefused: 401 without the right token, 503 while it is not known, 429 over the rate.
        """
        if self._source.token_secret_ref is not None:
            if self.token is None:  # the camera may have just come to this worker
                raise PushRefused(503, "the Secret with its push token was not read", retry_after=1)
            if not hmac.compare_digest(self.token.encode(), _bytes(bearer)):
                raise PushRefused(401, "its push token is wanted: Authorization: Bearer TOKEN")
        now = self._now()
        rate = self._source.max_fps
        self._tokens = min(rate, self._tokens + (now - self._filled) * rate)
        self._filled = now
        if self._tokens < 1:
            self._feed.drop("rate")
            raise PushRefused(429, f"more than {rate} frames a second (maxFPS)", retry_after=1)
        self._tokens -= 1

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """Hold one of the few places in which a body may be read, as bodies cost memory.

        Raises:
            PushRefused: 429: so many are being read already.
        """
        if self._reading >= MAX_BODIES:
            self._feed.drop("rate")
            raise PushRefused(429, f"{MAX_BODIES} frames are being read already", retry_after=1)
        self._reading += 1
        try:
            yield
        finally:
            self._reading -= 1

    def close(self) -> None:
        """Take nothing more, be it half read."""
        self._closed = True

    def take(self, data: bytes, claimed: float | None) -> int:
        """Take a frame in; its number, which for a timestamp that is known is the old one.

        Args:
            data: The whole body.
            claimed: Unix seconds at which the device says it was captured; see `_timestamp`.

        Raises:
            PushRefused: 413 too big, 422 no JPEG within bounds, or older than one already taken.
            NotCaptured: The camera went away while the body was read.
        """
        if self._closed:
            raise NotCaptured(self._feed.camera_id)
        if len(data) > self.max_bytes:
            self._feed.drop("oversized")
            raise PushRefused(413, f"the frame has more than {self.max_bytes} bytes")
        if claimed is not None and (sequence := self._again(claimed, data)) is not None:
            self._feed.drop("repeated")
            return sequence
        try:
            header = jpeg.parse(data)
        except jpeg.NotJpeg as error:
            self._feed.drop("invalid")
            raise PushRefused(422, f"the frame {error}") from None
        timestamp = self._timestamp(claimed)
        frame = self._feed.take(data, keyframe=True, timestamp=timestamp, codec=JPEG)
        self._feed.show(frame, None)
        self._feed.connected(JPEG, (header.width, header.height))
        if claimed is not None:
            sum_ = None if timestamp == claimed else zlib.crc32(data)
            self._known[claimed] = frame.sequence, sum_
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        self._look(data, timestamp, header)
        return frame.sequence

    def _again(self, claimed: float, data: bytes) -> int | None:
        """The number under which a frame was taken before.

        A timestamp tells it; where it was not believed, the bytes too, as a clock that is wrong may
        also stand still.
        """
        sequence, sum_ = self._known.get(claimed, (None, None))
        return sequence if sum_ is None or sum_ == zlib.crc32(data) else None

    def _timestamp(self, claimed: float | None) -> float:
        """Capture time of a frame that has just arrived: never later than that, and growing.

        A device whose clock was right lately is taken at its word: a frame that is old is refused.
        One whose clock is wrong tells nothing, and gets the nearest time that can be believed.
        """
        arrived = self._clock()
        if self._newest > arrived + CLOCK_SECONDS:  # the clock of this machine was set back
            self._newest = 0.0
        behind = 0.0 if claimed is None else max(0.0, arrived - claimed)
        if claimed is not None and abs(claimed - arrived) <= CLOCK_SECONDS:
            self._right_until = self._now() + TRUST_SECONDS
        timestamp = arrived - min(behind, CLOCK_SECONDS)
        if self._now() < self._right_until and (
            behind > CLOCK_SECONDS or (behind and timestamp <= self._newest)
        ):
            self._feed.drop("late")
            raise PushRefused(
                422,
                "timestamp: must be later than the last frame's, and no more than "
                f"{CLOCK_SECONDS:g} s ago (found {behind:.1f} s ago)",
            )
        self._newest = max(timestamp, self._newest + 1e-6)
        return self._newest

    def _look(self, data: bytes, timestamp: float, header: jpeg.Header) -> None:
        detector = self._feed.watch.detector
        if detector is None or self._looking or not detector.due(timestamp):
            return
        self._looking = True

        def look() -> None:
            try:
                luma = render.jpeg_luma(data, header.width, _ANALYSED_WIDTH)
                if luma is None:
                    self._feed.decode_errors += 1
                    return
                seen = detector.step(luma, timestamp)
                if seen.began is not None:
                    factor = round(header.width / luma.shape[1])
                    seen = replace(seen, began=seen.began.scaled(factor))
                self._feed.watch.observe(detector, seen, timestamp)
            finally:
                self._looking = False

        self._executor.submit(look)


async def supervise(
    push: Push, feed: Feed, read_token: Callable[[], Awaitable[str | None]], nudged: asyncio.Event
) -> Never:
    """Keep the token known and say when a device stopped pushing, until cancelled.

    A token that cannot be read just now stays what it was; one that is not there lets nobody in.

    Args:
        push: What takes the frames; its token is set here.
        feed: The camera's.
        read_token: Reads the token now; raises a CaptureError when its Secret is not there.
        nudged: Set when the camera or its Secret may have changed.
    """
    now = asyncio.get_running_loop().time
    read_again = now()
    pause = _MISSING_SECONDS
    while True:
        if nudged.is_set() or now() >= read_again:
            nudged.clear()
            read_again = now() + _TOKEN_SECONDS
            try:
                push.token = await read_token()
                pause = _MISSING_SECONDS
                _wait(feed)
            except CaptureError as error:
                if error.failure is Failure.CREDENTIALS_MISSING:
                    push.token = None
                if push.token is None:
                    feed.say(error.failure, str(error))
                    read_again = now() + pause
                    pause = min(_TOKEN_SECONDS, 2 * pause)
            except Exception:  # the one blanket except: a bug here must not stop a sibling
                log.exception("push_crashed")
                push.token = None
                feed.say(Failure.CRASHED, "a bug of Camera Ingest; the log has it")
        if feed.state.connected and feed.silence > feed.patience:
            feed.disconnected(Failure.STALLED, "the device stopped pushing frames")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(_CHECK_SECONDS, max(0.0, read_again - now()))):
                await nudged.wait()


def _wait(feed: Feed) -> None:
    """Say that nothing but frames is missing; a stalled device stays told as stalled."""
    if feed.state.reason is not Failure.STALLED:
        feed.say(ConnectedReason.WAITING_FOR_PUSH)


def _bytes(bearer: str | None) -> bytes:
    return (bearer or "").encode(errors="surrogateescape")
