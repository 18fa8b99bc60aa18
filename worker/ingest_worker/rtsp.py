"""One session with an RTSP camera, in one thread that opens, reads, decodes and closes it.

FFmpeg's demuxer is told to speak RTSP and its transports and nothing else, whatever the camera
answers. Its errors carry the whole URL, login included, so none leaves this module: they are mapped
by type, and what is raised instead is not chained to them.

PyAV's clock is replaced by a Deadline: the only way to end a session that waits for a camera, and
it makes deadlines hold whatever the camera does. If PyAV stopped asking, test_rtsp.py would fail.

FFmpeg puts an access unit together for as long as its end does not come, and has no bound of its
own but this one, for which PyAV has no name: see test_hostile.py.
"""

import ctypes
import errno
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import av
import av.container.core
import av.error
from av.container.input import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from ingest_core.credentials import Credentials, join_userinfo
from ingest_core.errors import CaptureError, Failure, FrameUndecodable
from ingest_core.model import Decode
from ingest_worker import process
from ingest_worker.deadline import OPEN, Deadline, Fence
from ingest_worker.feed import Feed
from ingest_worker.picture import Decoder
from ingest_worker.render import DECODABLE, AvDecoder
from ingest_worker.ring import Codec
from ingest_worker.stamp import StreamClock

MAX_PACKET: Final = 16 * 1024 * 1024  # bytes of one access unit: beyond it the camera is hostile

_MAX_ALLOCATION: Final = 104 * 1024 * 1024  # bytes; the largest picture (render) in RGB

_TIMEOUT: Final = 1.0  # s on PyAV's clock, which is a Deadline's
_UDP_BUFFER: Final = 2 * 1024 * 1024  # bytes: a keyframe comes in one burst
_PROTOCOLS: Final = "rtsp,rtsps,rtp,udp,tcp,tls"
_FAILURES: Final[tuple[tuple[type[Exception], Failure, str], ...]] = (
    (av.error.HTTPUnauthorizedError, Failure.AUTHENTICATION_FAILED, "the camera refused the login"),
    (
        av.error.HTTPForbiddenError,
        Failure.AUTHENTICATION_FAILED,
        "the login may not see the stream",
    ),
    (av.error.HTTPNotFoundError, Failure.NOT_FOUND, "the camera has no stream of that path"),
    (av.error.HTTPBadRequestError, Failure.UNSUPPORTED_STREAM, "the camera refused the request"),
    (
        av.error.HTTPOtherClientError,  # 453 and whatever else: FFmpeg does not tell them apart
        Failure.CAMERA_BUSY,
        "the camera refused the session: it may have as many as it takes",
    ),
    (av.error.HTTPServerError, Failure.CAMERA_BUSY, "the camera cannot serve the stream now"),
    (
        av.error.ProtocolNotFoundError,
        Failure.UNSUPPORTED_STREAM,
        "the camera led to a protocol that is not RTSP",
    ),
    (
        av.error.ArgumentError,
        Failure.UNSUPPORTED_STREAM,
        "the camera led to an address that is not RTSP",
    ),
    (
        av.error.InvalidDataError,  # what FFmpeg makes of an answer that never came, too
        Failure.UNREACHABLE,
        "the camera closed the connection, or does not speak RTSP",
    ),
    (av.error.ConnectionRefusedError, Failure.UNREACHABLE, "the camera refused the connection"),
    (av.error.EOFError, Failure.UNREACHABLE, "the camera closed the connection"),
)


@dataclass(frozen=True, slots=True)
class Target:
    """What a session needs to know.

    Attributes:
        url: Without login.
        transport: TCP or UDP, for RTP.
        ca_file: PEM file of the authorities that may sign the camera's certificate; rtsps only.
        verify: Check the certificate; rtsps only.
        connect_seconds: Time to the first decoded picture.
    """

    url: str
    transport: str
    credentials: Credentials | None
    ca_file: str | None
    verify: bool
    connect_seconds: float
    decode: Decode


av.container.core.time = Deadline  # type: ignore[attr-defined] # see the module's docstring
ctypes.CDLL(av.container.core.__file__).av_max_alloc(ctypes.c_size_t(_MAX_ALLOCATION))


class Session:
    """One connection to a camera, from open to failure.

    From the thread, `showed` is called with the first picture, and `ended` once, with why it
    ended. `opened` and `first` are seconds from the start to the open stream and the first picture.
    """

    def __init__(
        self,
        target: Target,
        feed: Feed,
        clock: StreamClock,
        *,
        showed: Callable[[], None],
        ended: Callable[[CaptureError], None],
        fence: Fence = OPEN,
    ) -> None:
        self._target = target
        self._feed = feed
        self._clock = clock
        self._showed = showed
        self._ended = ended
        self._began = time.monotonic()
        self.deadline = Deadline(target.connect_seconds, fence)
        self.opened: float | None = None
        self.first: float | None = None
        self._undecoded = 0  # frames since the last picture
        self._thread = threading.Thread(
            target=self._run, name=f"rtsp {feed.camera_id}", daemon=True
        )

    def start(self) -> None:
        self._began = time.monotonic()
        self.deadline.at = self._began + self._target.connect_seconds
        self._thread.start()

    def stop(self) -> None:
        """End the session soon (within some 0.1 s while it waits for the camera)."""
        self.deadline.stopped = True

    def timed_out(self) -> CaptureError:
        """What it means that the deadline is over."""
        if self.deadline.fenced:
            lost = "the worker could not renew its Lease, so the camera may be another's"
            return CaptureError(Failure.LEASE_EXPIRED, lost)
        if self._undecoded and self._feed.silence < self._feed.patience:
            lost = f"of the last {self._undecoded} frames none could be decoded"
            return CaptureError(Failure.DECODE_FAILED, lost)
        if self.first is not None:
            return CaptureError(Failure.STALLED, "the camera stopped sending frames")
        within = f"within {self._target.connect_seconds:g} s"
        if self.opened is None:
            return CaptureError(Failure.UNREACHABLE, f"no stream {within}")
        return CaptureError(Failure.STALLED, f"the stream opened and brought no picture {within}")

    def _run(self) -> None:
        process.batch_this_thread()
        with self.deadline.governs():
            try:
                self._ended(self._capture())
            except Exception as error:  # noqa: BLE001 - a bug of ours: told as one, to be logged
                crash = CaptureError(Failure.CRASHED, type(error).__name__)
                crash.__cause__ = error
                self._ended(crash)

    def _capture(self) -> CaptureError:
        """Open, read until it ends, close; the reason."""
        container: InputContainer | None = None
        failed: CaptureError | None = None
        if self.deadline.fenced:
            return self.timed_out()
        try:
            container = self._open()
            stream = _video(container)
            self.opened = time.monotonic() - self._began
            self._read(container, stream)
        except CaptureError as error:
            failed = error
        except av.error.FFmpegError as error:
            failed = explain(error)
        finally:
            over = self.deadline.over
            if container is not None:
                self.deadline.farewell()
                container.close()
        if over:
            return self.timed_out()
        return failed or CaptureError(Failure.UNREACHABLE, "the camera ended the stream")

    def _open(self) -> InputContainer:
        target = self._target
        options = {
            "rtsp_transport": target.transport.lower(),
            "allowed_media_types": "video",
            "max_streams": "16",  # an SDP may name thousands, at 140 KB each
            "protocol_whitelist": _PROTOCOLS,
            "format_whitelist": "rtsp",
            "fpsprobesize": "0",  # do not wait for frames only to guess their rate
            "probesize": "32",  # bytes: do not wait for frames to learn what the decoder will say
            "user_agent": "camera-ingest",
        }
        if target.url.startswith("rtsps:"):
            options["tls_verify"] = "1" if target.verify else "0"
            if target.verify and target.ca_file is not None:
                options["ca_file"] = target.ca_file
        if target.transport == "UDP":
            options["buffer_size"] = str(_UDP_BUFFER)
        try:
            url = join_userinfo(target.url, target.credentials)
        except ValueError as error:
            raise CaptureError(Failure.AUTHENTICATION_FAILED, str(error)) from error
        try:
            return av.open(
                url,
                format="rtsp",
                options=options,
                timeout=(_TIMEOUT, _TIMEOUT),
                metadata_errors="replace",
            )
        except (OSError, ValueError, av.error.FFmpegError) as error:
            tls = target.url.startswith("rtsps:")
            raise explain(error, tls=tls, login=target.credentials is not None) from None

    def _read(self, container: InputContainer, stream: VideoStream) -> None:
        name = stream.codec_context.name
        extradata = stream.codec_context.extradata or b""
        codec, decoder = _decoder(Codec(name, bytes(extradata)))
        time_base = float(stream.time_base or 0)
        self._clock.begin()
        held_back = name != "mjpeg"
        before = time.time()
        for packet in container.demux(stream):
            now = time.time()
            if self.deadline.over:
                return
            if packet.size:
                # FFmpeg's parser lets a frame go when the next one begins: it had arrived by then
                arrival = before if held_back else now
                if held_back and self.first is None and packet.duration:
                    # the first one was let go within opening, one interval late
                    arrival -= min(packet.duration * time_base, 1.0)
                self._packet(packet, decoder, codec, self._stamp(packet, time_base, arrival))
            before = now

    def _stamp(self, packet: "Packet[VideoStream]", time_base: float, arrival: float) -> float:
        ticks = packet.dts  # never pts, which with B-frames is another clock
        return self._clock.stamp(None if ticks is None else ticks * time_base, arrival)

    def _packet(
        self, packet: "Packet[VideoStream]", decoder: Decoder, codec: Codec, timestamp: float
    ) -> None:
        feed, target = self._feed, self._target
        if packet.size > MAX_PACKET:
            feed.skip("oversized")
            return
        frame = feed.take(
            bytes(packet), keyframe=packet.is_keyframe, timestamp=timestamp, codec=codec
        )
        if target.decode is Decode.KEYFRAMES and not frame.keyframe:
            if not self._undecoded:
                self._alive()
            return
        self._undecoded += 1
        errors = decoder.errors
        for picture in decoder.decode(frame):
            if self.deadline.stopped or self.deadline.fenced:
                return  # it took so long that the feed, or the camera, may be another's
            feed.show(picture.frame, picture)
            feed.connected(codec, picture.size)
            if self.first is None:
                self.first = time.monotonic() - self._began
                self._showed()
            feed.watch.look(picture)
            self._undecoded = 0
            self._alive()
        feed.decode_errors += decoder.errors - errors

    def _alive(self) -> None:
        if self.first is not None:
            self.deadline.at = time.monotonic() + self._feed.patience


def explain(error: Exception, *, tls: bool = False, login: bool = True) -> CaptureError:
    """Map an error of PyAV by its type; nothing of its text, which is the URL, gets on."""
    if isinstance(error, av.error.HTTPUnauthorizedError) and not login:
        text = "the camera wants a login, and none is given"
        return CaptureError(Failure.AUTHENTICATION_FAILED, text)
    for type_, failure, message in _FAILURES:
        if isinstance(error, type_):
            return CaptureError(failure, message)
    number = getattr(error, "errno", None)
    if number == errno.EIO:  # what FFmpeg makes of a name, and of a certificate, that it refuses
        text = "the host's name cannot be resolved, or the connection broke"
        if tls:
            text += ", or the certificate is not trusted"
        return CaptureError(Failure.UNREACHABLE, text)
    if number == errno.EPROTONOSUPPORT:
        text = "the camera does not offer this transport: try the other one"
        return CaptureError(Failure.UNSUPPORTED_STREAM, text)
    if isinstance(error, OSError) and isinstance(number, int) and 0 < number < 4096:  # noqa: PLR2004 - the kernel's errors end there
        return CaptureError(Failure.UNREACHABLE, os.strerror(number))
    return CaptureError(Failure.UNREACHABLE, f"the session failed ({type(error).__name__})")


def _decoder(codec: Codec) -> tuple[Codec, Decoder]:
    """A decoder, and the codec that it takes: parameter sets of an SDP may be garbage."""
    try:
        return codec, AvDecoder(codec)
    except FrameUndecodable:
        bare = Codec(codec.name)
        return bare, AvDecoder(bare)


def _video(container: InputContainer) -> VideoStream:
    for stream in container.streams.video:
        if stream.codec_context.name in DECODABLE:
            return stream
    raise CaptureError(Failure.UNSUPPORTED_STREAM, "the stream has no H.264, H.265 or MJPEG video")
