"""Cameras that mean harm: what they answer opens nothing, reaches nobody, and costs bounded memory.

The cameras that send as fast as they can are a process of their own, so that the memory that is
watched is the worker's.
"""

import asyncio
import multiprocessing
import os
import stat
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import count
from multiprocessing.connection import Connection
from pathlib import Path

import msgspec
import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest_core.errors import Failure
from ingest_simulator.camera import SimulatedCamera
from ingest_simulator.faults import Fault, FaultKind
from ingest_simulator.simulator import Simulator
from tests.fakes.captured_camera import CapturedCamera, capturing, eventually
from tests.fakes.hostile_camera import (
    MEDIA,
    SDP,
    Script,
    described,
    for_ever,
    hostile_camera,
    interleaved,
    rtp,
)
from tests.fakes.relay import relay

# A session has 0.5 s of grace and 0.5 s to stop; the rest is the machine's.
CONNECT, SLACK = 0.5, 2.5
MEBIBYTE = 1024 * 1024
WORDS = (b"\r\n", b"\r\n\r\n", b"$", b"RTSP/1.0 200 OK\r\n", b"\0", b"4294967295", b"-1", b"%n%s")
SMALL = SimulatedCamera(name="cam", width=160, height=96, fps=10, gop=10, clip_seconds=2)


def named(name: str) -> SimulatedCamera:
    return msgspec.structs.replace(SMALL, name=name)


@dataclass
class Trap:
    """A port that nobody may connect to, and a pipe that nobody may open."""

    port: int
    pipe: Path
    visits: list[str] = field(default_factory=list)

    def sprung(self) -> bool:
        return bool(self.visits) or self._read()

    def _read(self) -> bool:
        """Whether somebody has the pipe open to read."""
        try:
            os.close(os.open(self.pipe, os.O_WRONLY | os.O_NONBLOCK))
        except OSError:
            return False
        return True


@pytest.fixture
async def trap(tmp_path: Path) -> AsyncIterator[Trap]:
    async def visited(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        set_up.visits.append(str(writer.get_extra_info("peername")))
        writer.close()

    server = await asyncio.start_server(visited, "127.0.0.1", 0)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    set_up = Trap(server.sockets[0].getsockname()[1], pipe)
    async with server:
        yield set_up


def places(trap: Trap) -> list[str]:
    """Where FFmpeg could be sent, by everything that it knows."""
    address = f"127.0.0.1:{trap.port}"
    protocols = ("http", "https", "tcp", "tls", "rtmp", "ftp", "gopher", "mmsh", "ws", "srt")
    files = ("file:{}", "{}", "file://{}", "concat:{}", "cache:{}", "async:{}", "subfile,,:{}")
    return [
        *(f"{protocol}://{address}/x" for protocol in protocols),
        *(form.format(trap.pipe) for form in files),
        *("pipe:0", "fd:0", "unix:/tmp/x", "data:,x", "", "x", "//" + address, "rtsp+http://x"),
        *(f"hls+http://{address}/x.m3u8", f"crypto+http://{address}/x", f"rtp://{address}"),
    ]


async def test_a_url_opens_nothing_but_rtsp(trap: Trap) -> None:
    cameras = [
        CapturedCamera(place, name=f"url-{number}", connect_seconds=CONNECT)
        for number, place in enumerate(places(trap))
    ]
    async with capturing(*cameras):
        for camera in cameras:
            assert not (await camera.failed()).connected
    assert not trap.sprung()


async def test_a_redirect_leads_nowhere_but_to_rtsp(simulator: Simulator, trap: Trap) -> None:
    cameras = []
    for number, place in enumerate(places(trap)):
        name = f"redirect-{number}"
        url = await simulator.add(named(name))
        simulator.fault(name, Fault(FaultKind.REDIRECT, location=place))
        cameras.append(CapturedCamera(url, name=name, connect_seconds=CONNECT))
    async with capturing(*cameras):
        for camera in cameras:
            state = await camera.failed()
            assert state.reason in (Failure.UNSUPPORTED_STREAM, Failure.UNREACHABLE)
            assert camera.failures[0][0] - camera.opened[0] < CONNECT + SLACK
    assert not trap.sprung()


async def test_an_sdp_leads_nowhere_but_to_the_camera(simulator: Simulator, trap: Trap) -> None:
    sdps = []
    for place in places(trap):
        control = MEDIA.replace("trackID=0", place)
        session = SDP.replace("t=0 0\r\n", f"t=0 0\r\na=control:{place}\r\n")
        sdps += [SDP.replace(MEDIA, control), session]
    sdps += [
        SDP.replace("s=x", f"s=x\r\nc=IN IP4 127.0.0.1/{trap.port}"),
        SDP.replace("video 0 RTP/AVP", f"video {trap.port} RTP/AVP"),
        SDP.replace("video 0 RTP/AVP", f"video {trap.port} UDP"),
        SDP.replace("96", "33").replace("H264/90000", "MP2T/90000"),
        SDP.replace(
            "t=0 0", "t=0 0\r\na=pgmpu:data:application/vnd.ms.wms-hdr.asfv1;base64,MCaydQ"
        ),
        SDP.replace("H264", "X-PN-REALAUDIO"),
        SDP.replace("H264/90000", "H264/0"),
        SDP.replace("H264/90000", "H264/-1/99999999999"),
        SDP
        + "a=fmtp:96 sprop-parameter-sets=,,,,=;=;;;profile-level-id=zz;packetization-mode=9\r\n",
        SDP + "a=range:npt=-\r\na=framesize:96 99999999-99999999\r\na=framerate:1e999\r\n",
        "v=0\r\n" * 20_000,
        "\x00" * 2_000,
    ]
    cameras = []
    for number, text in enumerate(sdps):
        name = f"sdp-{number}"
        url = await simulator.add(named(name))
        simulator.fault(name, Fault(FaultKind.SDP, sdp=text))
        cameras.append(CapturedCamera(url, name=name, connect_seconds=CONNECT))
    async with capturing(*cameras):
        for camera in cameras:
            await camera.until(lambda camera=camera: settled(camera))  # type: ignore[misc]
            if camera.failures:
                assert camera.failures[0][0] - camera.opened[0] < CONNECT + SLACK, camera.name
    assert not trap.sprung()


def settled(camera: CapturedCamera) -> bool:
    return bool(camera.failures) or camera.feed.state.connected


async def test_a_redirect_to_another_rtsp_address_is_followed(simulator: Simulator) -> None:
    elsewhere = await simulator.add(named("elsewhere"))
    url = await simulator.add(SMALL)
    simulator.fault("cam", Fault(FaultKind.REDIRECT, location=elsewhere))
    camera = CapturedCamera(url)
    async with capturing(camera):
        await camera.connected()
    assert simulator.frames_sent("elsewhere")


async def test_redirects_in_a_circle_end_with_the_deadline(simulator: Simulator) -> None:
    url = await simulator.add(SMALL)
    simulator.fault("cam", Fault(FaultKind.REDIRECT, location=url))
    camera = CapturedCamera(url, connect_seconds=0.5, draw=0.9)
    async with capturing(camera):
        await camera.failed()
        assert camera.failures[0][0] - camera.opened[0] < 0.5 + SLACK


def endless_unit() -> Iterator[bytes]:
    """Fragments of one H.264 access unit that never ends."""
    for number in count():
        begin = 0x85 if number == 0 else 0x05
        payload = bytes((0x7C, begin)) + b"\x55" * 60_000
        yield interleaved(rtp(payload, sequence=number & 0xFFFF))


def endless_jpeg() -> Iterator[bytes]:
    """Fragments of one MJPEG frame whose marker never comes."""
    for number in count():
        offset = (number * 60_000) & 0xFFFFFF
        payload = b"\0" + offset.to_bytes(3, "big") + b"\x01\x32\x14\x0c" + b"\x55" * 60_000
        yield interleaved(rtp(payload, sequence=number & 0xFFFF).replace(b"\x60", b"\x1a", 1))


def long_sdp() -> bytes:
    return described(SDP + "a=x:" + "y" * 10_000_000 + "\r\n")


FLOODS: dict[str, Callable[[], Script]] = {
    "a unit without an end": lambda: Script(stream=endless_unit()),
    "a picture without an end": lambda: Script(
        answers={"DESCRIBE": described(SDP.replace("96", "26").replace("H264", "JPEG"))},
        stream=endless_jpeg(),
    ),
    "nonsense units": lambda: Script(stream=for_ever(interleaved(rtp(b"\x1c\xff" * 3000)))),
    "nonsense frames": lambda: Script(stream=for_ever(interleaved(b"\xff" * 65535))),
    "empty frames": lambda: Script(stream=for_ever(interleaved(b"") * 1000)),
    "an unknown channel": lambda: Script(stream=for_ever(interleaved(b"\x80" * 65535, 255))),
    "half a frame": lambda: Script(stream=[interleaved(b"\x80" * 65535)[:1000]]),
    "answers nobody asked for": lambda: Script(stream=for_ever(b"RTSP/1.0 200 OK\r\n\r\n" * 100)),
    "questions for the client": lambda: Script(
        stream=for_ever(b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n" * 100)
    ),
    "headers without an end": lambda: Script(raw={"DESCRIBE": for_ever(b"X-A: b\r\n" * 500)}),
    "a line without an end": lambda: Script(raw={"DESCRIBE": for_ever(b"a" * 65536)}),
    "a negative length": lambda: Script(answers={"DESCRIBE": b"Content-Length: -5\r\n\r\n"}),
    "a length of 2 GB": lambda: Script(
        raw={"DESCRIBE": [b"RTSP/1.0 200 OK\r\nContent-Length: 2000000000\r\n\r\n", b"v=0"]}
    ),
    "2 GB as announced": lambda: Script(
        raw={
            "DESCRIBE": (
                piece
                for head in (b"RTSP/1.0 200 OK\r\nContent-Length: 2000000000\r\n\r\n",)
                for piece in (head, *[b"a=x:y\r\n" * 10_000] * 28_000)
            )
        }
    ),
    "an SDP of 10 MB": lambda: Script(answers={"DESCRIBE": long_sdp()}),
    "ten thousand media": lambda: Script(answers={"DESCRIBE": described(SDP + MEDIA * 10_000)}),
    "parameter sets of 5 MB": lambda: Script(
        answers={
            "DESCRIBE": described(f"{SDP}a=fmtp:96 sprop-parameter-sets={'A' * 5_000_000}\r\n")
        }
    ),
    "a realm of 60 KB": lambda: Script(
        raw={"OPTIONS": [b'RTSP/1.0 401 No\r\nWWW-Authenticate: Digest realm="' + b"r" * 60_000]}
    ),
    "interleaved where it was not agreed": lambda: Script(
        answers={"SETUP": b"Session: 1\r\nTransport: RTP/AVP/TCP;interleaved=4000000000-\r\n\r\n"}
    ),
    "a transport to somebody else": lambda: Script(
        answers={"SETUP": b"Session: 1\r\nTransport: RTP/AVP/TCP;destination=10.0.0.1\r\n\r\n"}
    ),
}


MEMORY = {"ten thousand media": 64}  # MiB, where FFmpeg's largest allocation is not the bound
# Where it is: four of 104 MiB at once (a parser's old and new buffer, the packet, the decoder's),
# and what a process takes by the way. Without the bound it was 1.1 GB.
MOST = 4 * 104 + 64


def _serve(told: Connection) -> None:
    """Be all of the floods, until killed."""

    async def serve() -> None:
        async with AsyncExitStack() as stack:
            scripts = {name: make() for name, make in FLOODS.items()}
            told.send(
                {
                    name: await stack.enter_async_context(hostile_camera(script))
                    for name, script in scripts.items()
                }
            )
            await asyncio.Event().wait()

    asyncio.run(serve())


@pytest.fixture(scope="module")
def floods() -> Iterator[Mapping[str, str]]:
    """URLs by name, of a process of its own."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    try:
        yield ours.recv()
    finally:
        process.kill()
        process.join()
        process.close()
        ours.close()
        theirs.close()


@pytest.mark.parametrize("name", FLOODS)
async def test_a_flood_ends_in_time_and_takes_bounded_memory(
    floods: Mapping[str, str], name: str
) -> None:
    process = psutil.Process()
    camera = CapturedCamera(floods[name], name="flood", connect_seconds=CONNECT, draw=0.9)
    before = most = process.memory_info().rss
    async with asyncio.timeout(20), capturing(camera):
        while not camera.failures:
            most = max(most, process.memory_info().rss)
            await asyncio.sleep(0.02)  # memory tells nobody when it grows
        assert camera.failures[0][0] - camera.opened[0] < CONNECT + SLACK
    await eventually(lambda: not threads("flood"), seconds=3)
    assert most - before < MEMORY.get(name, MOST) * MEBIBYTE


def threads(camera: str) -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == f"rtsp {camera}"]


@dataclass(frozen=True)
class Mutation:
    """What happens to a camera's bytes: at this offset, so many become these."""

    at: int
    removed: int
    put: bytes


MUTATIONS = st.lists(
    st.builds(
        Mutation,
        at=st.one_of(st.integers(0, 1500), st.integers(0, 20_000)),
        removed=st.integers(0, 64),
        put=st.one_of(st.binary(max_size=64), st.sampled_from(WORDS)),
    ),
    min_size=1,
    max_size=8,
)


def mutate(mutations: Sequence[Mutation]) -> Callable[[bytes], bytes]:
    """Of what is fed to it piece by piece, as if it were fed at once."""
    left = sorted(mutations, key=lambda one: one.at)
    seen = 0

    def step(data: bytes) -> bytes:
        nonlocal seen
        begin, seen = seen, seen + len(data)
        changed = bytearray(data)
        for one in reversed([one for one in left if begin <= one.at < seen]):
            at = one.at - begin
            changed[at : at + one.removed] = one.put
        return bytes(changed)

    return step


def test_streams_of_any_bytes_crash_nothing_and_hold_no_thread() -> None:
    """Sixteen sessions at once for each example, through wires that change what a camera says."""

    @settings(
        max_examples=8,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(MUTATIONS, min_size=16, max_size=16))
    def mutated(batch: list[list[Mutation]]) -> None:
        asyncio.run(session_each(batch))

    before = psutil.Process().memory_info().rss
    mutated()
    assert psutil.Process().memory_info().rss - before < 256 * MEBIBYTE


async def session_each(batch: Sequence[Sequence[Mutation]]) -> None:
    async with asyncio.timeout(20), Simulator() as simulator, AsyncExitStack() as stack:
        url = await simulator.add(SMALL)
        cameras = []
        for number, mutations in enumerate(batch):
            wire, through = await stack.enter_async_context(relay(url))
            wire.change = mutate(mutations)
            cameras.append(CapturedCamera(through, name=f"fuzz-{number}", connect_seconds=0.6))
            cameras[-1].draw = 0.99
        async with capturing(*cameras):
            for camera in cameras:
                await camera.until(lambda camera=camera: settled(camera), 5)  # type: ignore[misc]
        await eventually(lambda: not any(map(threads, (one.name for one in cameras))), seconds=3)
