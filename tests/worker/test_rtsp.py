"""Sessions with simulated cameras: honest times, farewells, reconnects, errors mapped by type."""

import asyncio
import inspect
import itertools
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import av.error
import pytest

from ingest_core.credentials import Credentials
from ingest_core.errors import CaptureError, Failure
from ingest_core.kube.lease import Term
from ingest_core.model import Decode
from ingest_simulator.camera import Auth, Codec, SimulatedCamera
from ingest_simulator.faults import Fault, FaultKind
from ingest_simulator.simulator import Simulator
from ingest_worker.deadline import OPEN, Deadline
from ingest_worker.rtsp import Session, explain
from ingest_worker.stamp import StreamClock
from tests.fakes.captured_camera import CapturedCamera, capturing, eventually
from tests.fakes.usage import usage

FPS = 10
SECRET = "not-to-be-told"


def camera(name: str = "cam", **more: object) -> SimulatedCamera:
    settings = {"width": 160, "height": 96, "fps": FPS, "gop": 10, "clip_seconds": 2} | more
    return SimulatedCamera(name=name, **settings)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Clocked:
    """A camera whose stream time does what this fault says."""

    codec: Codec
    transport: str
    kind: FaultKind | None

    @property
    def name(self) -> str:
        kind = self.kind.value.replace("_", "-") if self.kind else "sane"
        return f"{self.codec.value}-{self.transport}-{kind}".lower()


TIMES = (None, FaultKind.TIME_JUMP, FaultKind.TIME_STOP, FaultKind.TIME_BACKWARDS)
CLOCKED = (
    *(Clocked(Codec.H264, transport, kind) for transport in ("TCP", "UDP") for kind in TIMES),
    *(Clocked(codec, "TCP", None) for codec in (Codec.H265, Codec.MJPEG)),
    Clocked(Codec.MJPEG, "UDP", FaultKind.TIME_STOP),
    *(Clocked(codec, "TCP", FaultKind.B_FRAMES) for codec in (Codec.H264, Codec.H265)),
)


async def test_capture_time_is_when_the_camera_sent_whatever_its_clock_says(
    simulator: Simulator,
) -> None:
    cameras: list[CapturedCamera] = []
    for one in CLOCKED:
        url = await simulator.add(camera(one.name, codec=one.codec))
        if one.kind is not None:
            begin = 0 if one.kind is FaultKind.B_FRAMES else 12
            simulator.fault(one.name, Fault(one.kind, after_frames=begin))
        cameras.append(
            CapturedCamera(url, name=one.name, transport=one.transport, stall_seconds=10)
        )
    async with capturing(*cameras):
        for captured in cameras:
            await captured.frames(32)
        for captured in cameras:
            sent = [frame.sent for frame in simulator.frames(captured.name)]
            times = [frame.timestamp for frame in captured.ingested]
            errors = [at - truth for at, truth in zip(times, sent, strict=False)]
            late = [at - came for at, came in zip(times, captured.arrivals, strict=False)]
            assert captured.feed.sessions == 1, captured.name
            # the first one arrives while the session opens, which takes what it takes
            assert max(map(abs, errors[1:])) <= 1 / FPS + 0.05, (captured.name, errors)
            assert max(late) <= 0, captured.name
            assert all(b > a for a, b in itertools.pairwise(times)), captured.name


async def test_only_keyframes_are_decoded_when_so_set_and_every_frame_is_kept(
    simulator: Simulator,
) -> None:
    url = await simulator.add(camera(fps=25))
    captured = CapturedCamera(url, decode=Decode.KEYFRAMES, stall_seconds=10)
    async with capturing(captured):
        await captured.frames(25)
        newest = captured.feed.newest
        assert newest is not None
        assert newest.frame.keyframe
        assert len(captured.feed.held()) >= 25
        assert captured.feed.decode_errors == 0
        assert not captured.failures


async def test_a_change_of_resolution_is_told_without_a_new_session(simulator: Simulator) -> None:
    url = await simulator.add(camera())
    await simulator.add(camera("other", width=320, height=180))
    simulator.fault("cam", Fault(FaultKind.RESIZE, after_frames=12, width=320, height=180))
    captured = CapturedCamera(url)
    async with capturing(captured):
        await captured.until(lambda: captured.feed.size == (160, 96))
        await captured.until(lambda: captured.feed.size == (320, 180))
        assert captured.feed.sessions == 1
        assert captured.feed.newest is not None
        assert captured.feed.newest.picture is not None
        assert captured.feed.newest.picture.size == (320, 180)


async def test_what_comes_before_the_first_keyframe_shows_nothing(simulator: Simulator) -> None:
    url = await simulator.add(camera(gop=15))
    simulator.fault("cam", Fault(FaultKind.NO_PARAMETER_SETS))
    captured = CapturedCamera(url)
    async with capturing(captured):
        await captured.connected()
        feed = captured.feed
        assert feed.newest is not None
        assert feed.newest.frame.keyframe
        assert feed.newest.frame.sequence > 1
        assert feed.held()[0] == feed.newest.frame
        assert feed.drops["ring"] == feed.newest.frame.sequence - 1


async def test_sound_is_ignored(simulator: Simulator) -> None:
    url = await simulator.add(camera(audio=True, fps=25))
    captured = CapturedCamera(url)
    async with capturing(captured):
        await captured.frames(20)
        assert captured.feed.decode_errors == 0
    sent = [frame.keyframe for frame in simulator.frames("cam")]
    taken = [frame.keyframe for frame in captured.ingested]
    assert taken == sent[: len(taken)]


@pytest.mark.parametrize("transport", ["TCP", "UDP"])
async def test_a_camera_is_told_that_its_session_is_over(
    simulator: Simulator, transport: str
) -> None:
    url = await simulator.add(camera(fps=50))
    captured = CapturedCamera(url, transport=transport)
    async with capturing(captured):
        await captured.connected()
    await eventually(lambda: simulator.sessions("cam")[0].closed is not None)
    assert simulator.sessions("cam")[0].end == "teardown"


async def test_a_session_that_waits_for_a_silent_camera_ends_when_told(
    simulator: Simulator,
) -> None:
    url = await simulator.add(camera())
    simulator.fault("cam", Fault(FaultKind.HANG))
    captured = CapturedCamera(url, connect_seconds=60)
    async with capturing(captured):
        await captured.until(lambda: bool(captured.opened))
        await eventually(lambda: bool(simulator.sessions("cam")))
        began = time.monotonic()
    assert time.monotonic() - began < 1
    assert not captured.failures


async def test_a_session_ends_at_its_fence_whatever_its_camera_sends(
    simulator: Simulator,
) -> None:
    term = Term(0.0, math.inf)
    captured = CapturedCamera(await simulator.add(camera(fps=50)), fence=term, draw=0.5)
    async with capturing(captured):
        await captured.frames(20)
        term.until = time.monotonic()
        seen = captured.feed.frames
        state = await captured.failed()
        assert state.reason is Failure.LEASE_EXPIRED
        assert captured.feed.frames <= seen + 1, "what was being taken, and nothing after it"
        await eventually(lambda: simulator.playing("cam") == 0)
        (session,) = simulator.sessions("cam")
        assert session.end == "teardown", "the camera is told"
        await captured.until(lambda: len(captured.failures) > 2)
        assert len(simulator.sessions("cam")) == 1, "and it is not asked again"


async def test_a_thread_that_begins_behind_its_fence_asks_no_camera() -> None:
    callers = 0

    async def call(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal callers
        callers += 1
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(call, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    ended: list[CaptureError] = []
    for fence in (OPEN, Term(0.0, time.monotonic())):
        captured = CapturedCamera(f"rtsp://127.0.0.1:{port}/", connect_seconds=0.5)
        session = Session(
            captured.target,
            captured.feed,
            StreamClock(),
            showed=lambda: None,
            ended=ended.append,
            fence=fence,
        )
        session.start()
        await asyncio.to_thread(session._thread.join)
        assert callers == 1, "of the first one only"
    assert [error.failure for error in ended] == [Failure.UNREACHABLE, Failure.LEASE_EXPIRED]
    server.close()
    await server.wait_closed()


async def test_a_thread_that_has_no_deadline_sees_the_real_clock() -> None:
    before = time.monotonic()
    assert before <= Deadline.monotonic() <= time.monotonic()


async def test_reconnecting_for_ever_costs_nothing_that_stays(simulator: Simulator) -> None:
    url = await simulator.add(camera(fps=100))
    simulator.fault("cam", Fault(FaultKind.FIN, after_frames=1))
    captured = CapturedCamera(url)
    async with capturing(captured):
        await captured.failed(50)
        before = usage()
        await captured.failed(250)
        after = usage()
        assert captured.feed.sessions >= 250
    assert after.threads <= before.threads + 2
    assert after.descriptors <= before.descriptors + 4
    assert after.memory - before.memory < 8 * 1024 * 1024


async def test_a_refused_login_is_tried_again_as_soon_as_it_is_another(
    simulator: Simulator,
) -> None:
    login = {"auth": Auth.DIGEST_MD5, "username": "viewer", "password": SECRET}
    url = await simulator.add(camera(**login))
    captured = CapturedCamera(url, credentials=Credentials("viewer", "wrong"))
    async with capturing(captured):
        assert (await captured.failed()).reason is Failure.AUTHENTICATION_FAILED
        captured.target = replace(captured.target, credentials=Credentials("viewer", SECRET))
        captured.nudge()
        await captured.connected()
    assert len(captured.failures) == 1


def foreign() -> Sequence[type[Exception]]:
    """Every exception that PyAV may raise, with those of Python that it is."""
    found = [
        value
        for _, value in inspect.getmembers(av.error, inspect.isclass)
        if issubclass(value, av.error.FFmpegError)
    ]
    return [*found, OSError, ValueError]


@pytest.mark.parametrize("type_", foreign(), ids=lambda type_: type_.__name__)
def test_no_error_of_pyav_lets_the_url_through(type_: type[Exception]) -> None:
    arguments = (1, "text", f"rtsp://u:{SECRET}@h/") if type_ is not ValueError else (SECRET,)
    told = explain(type_(*arguments))
    assert isinstance(told, CaptureError)
    assert SECRET not in f"{told} {told!r} {told.__cause__} {told.__context__}"
    assert str(told)
