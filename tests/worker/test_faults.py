"""Every fault of the simulator at once, on one worker, beside two cameras that nothing ails.

The simulator is a process of its own: what is measured is the worker. All of it happens once, in
`table`; each test looks at one thing that must hold.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
import pytest

from ingest_core.credentials import Credentials
from ingest_core.errors import Failure
from ingest_simulator.camera import Codec, SimulatedCamera, Transport
from ingest_simulator.faults import Fault, FaultKind
from ingest_simulator.messages import Method
from tests.fakes.captured_camera import CapturedCamera, capturing
from tests.fakes.simulator_process import SimulatorProcess, simulator_process

CONNECT, STALL, SLACK = 1.5, 1, 1.0
HALF_DELAY = {  # seconds after the first failure, when chance says one half
    Failure.UNREACHABLE: 0.5,
    Failure.STALLED: 0.5,
    Failure.NOT_FOUND: 2.5,
    Failure.UNSUPPORTED_STREAM: 2.5,
    Failure.DECODE_FAILED: 2.5,
    Failure.CAMERA_BUSY: 5.0,
}
SMALL = SimulatedCamera(name="x", width=160, height=96, fps=10, gop=10, clip_seconds=2)
AUDIO_ONLY = "v=0\r\ns=x\r\nt=0 0\r\nm=audio 0 RTP/AVP 0\r\na=control:trackID=0\r\n"


@dataclass(frozen=True)
class Fails:
    """A fault that ends or prevents sessions. `after`: which timeout does it; None: at once."""

    fault: Fault
    failure: Failure
    after: str | None = None
    camera: Mapping[str, Any] = field(default_factory=dict)
    transport: str = "TCP"


@dataclass(frozen=True)
class Endured:
    """A fault that a session lives through."""

    fault: Fault


def hang(method: Method) -> Fails:
    return Fails(Fault(FaultKind.HANG, method=method), Failure.UNREACHABLE, "connect")


def status(code: int, failure: Failure) -> Fails:
    return Fails(Fault(FaultKind.STATUS, status=code), failure)


def redirect(location: str) -> Fails:
    return Fails(Fault(FaultKind.REDIRECT, location=location), Failure.UNSUPPORTED_STREAM)


FAILS = {
    "refuse-by-reset": Fails(Fault(FaultKind.REFUSE), Failure.UNREACHABLE),
    "refuse": Fails(Fault(FaultKind.REFUSE), Failure.UNREACHABLE, camera={"own_port": True}),
    "silent": Fails(
        Fault(FaultKind.SILENT), Failure.UNREACHABLE, "connect", camera={"own_port": True}
    ),
    "hang-options": hang(Method.OPTIONS),
    "hang-describe": hang(Method.DESCRIBE),
    "hang-setup": hang(Method.SETUP),
    "hang-play": hang(Method.PLAY),
    "dribble": Fails(Fault(FaultKind.DRIBBLE, interval=0.3), Failure.UNREACHABLE, "connect"),
    "dribble-later": Fails(
        Fault(FaultKind.DRIBBLE, interval=0.3, after_frames=8), Failure.STALLED, "stall"
    ),
    "status-401": status(401, Failure.AUTHENTICATION_FAILED),
    "status-403": status(403, Failure.AUTHENTICATION_FAILED),
    "status-404": status(404, Failure.NOT_FOUND),
    "status-453": status(453, Failure.CAMERA_BUSY),
    "status-503": status(503, Failure.CAMERA_BUSY),
    "redirect-to-file": redirect("file:///etc/passwd"),
    "redirect-to-http": redirect("http://127.0.0.1:1/x"),
    "sdp-empty": Fails(Fault(FaultKind.SDP, sdp=""), Failure.UNREACHABLE),
    "sdp-audio-only": Fails(Fault(FaultKind.SDP, sdp=AUDIO_ONLY), Failure.CAMERA_BUSY),
    "keyframe-too-late": Fails(
        Fault(FaultKind.NO_PARAMETER_SETS),
        Failure.DECODE_FAILED,
        "connect",
        camera={"gop": 60, "clip_seconds": 12},
    ),
    "dead-udp": Fails(Fault(FaultKind.DEAD_UDP), Failure.STALLED, "connect", transport="UDP"),
    "stall-from-the-start": Fails(Fault(FaultKind.STALL), Failure.STALLED, "connect"),
    "stall": Fails(Fault(FaultKind.STALL, after_frames=8), Failure.STALLED, "stall"),
    "stall-udp": Fails(
        Fault(FaultKind.STALL, after_frames=8), Failure.STALLED, "stall", transport="UDP"
    ),
    "stall-h265": Fails(
        Fault(FaultKind.STALL, after_frames=8), Failure.STALLED, "stall", {"codec": Codec.H265}
    ),
    "fin": Fails(Fault(FaultKind.FIN, after_frames=5), Failure.UNREACHABLE),
    "rst": Fails(Fault(FaultKind.RST, after_frames=5), Failure.UNREACHABLE),
    "garbage-in-answer": Fails(
        Fault(FaultKind.GARBAGE, method=Method.DESCRIBE), Failure.UNSUPPORTED_STREAM
    ),
    "garbage-in-stream": Fails(Fault(FaultKind.GARBAGE, probability=0.5), Failure.UNREACHABLE),
    "lose-everything": Fails(
        Fault(FaultKind.LOSE, probability=1), Failure.STALLED, "connect", transport="UDP"
    ),
}
ENDURED = {
    "no-parameter-sets": Endured(Fault(FaultKind.NO_PARAMETER_SETS)),
    "b-frames": Endured(Fault(FaultKind.B_FRAMES)),
    "audio": Endured(Fault(FaultKind.AUDIO)),
    "lose": Endured(Fault(FaultKind.LOSE, after_frames=5, probability=0.2)),
    "corrupt": Endured(Fault(FaultKind.CORRUPT, after_frames=5, probability=0.2)),
    "time-jump": Endured(Fault(FaultKind.TIME_JUMP, after_frames=5)),
    "time-jump-back": Endured(Fault(FaultKind.TIME_JUMP, after_frames=5, offset=-3600)),
    "time-stop": Endured(Fault(FaultKind.TIME_STOP, after_frames=5)),
    "time-backwards": Endured(Fault(FaultKind.TIME_BACKWARDS, after_frames=5)),
    "resize": Endured(Fault(FaultKind.RESIZE, after_frames=5)),
}
LOGINS = {name for name, row in FAILS.items() if row.failure is Failure.AUTHENTICATION_FAILED}
HEALTHY = {"healthy-tcp": "TCP", "healthy-udp": "UDP"}


@dataclass(frozen=True)
class Seen:
    """What happened to one camera.

    Attributes:
        lasted: Seconds from the session's begin to its end.
        silence: Seconds from the last frame sent to the session's end.
        delay: Seconds until the next session began.
        back: Did it bring frames again?
    """

    failure: str
    message: str
    lasted: float
    silence: float
    delay: float
    back: bool


@dataclass(frozen=True)
class Table:
    seen: Mapping[str, Seen]
    endured: Mapping[str, tuple[int, int, int]]
    """Frames, sessions, failures."""
    healthy: Mapping[str, tuple[int, int, int]]
    """Frames sent and taken, failures."""
    lags: Sequence[float]


@pytest.fixture(scope="module")
def table() -> Table:
    return asyncio.run(everything())


async def everything() -> Table:
    async with asyncio.timeout(300), simulator_process() as simulator:
        faulty = {name: await faulty_camera(simulator, name) for name in (*FAILS, *ENDURED)}
        healthy = {name: await healthy_camera(simulator, name) for name in HEALTHY}
        cameras = (*faulty.values(), *healthy.values())
        lags: list[float] = []
        async with capturing(*cameras), asyncio.TaskGroup() as group:
            watching = group.create_task(watch_lag(lags))
            for name in FAILS:
                await faulty[name].failed()
            for name in ENDURED:
                await faulty[name].frames(30)
            last = {name: await last_sent(simulator, name) for name in FAILS}
            endured = {name: told(faulty[name]) for name in ENDURED}
            back = await heal(simulator, faulty)
            taken = {name: await end(simulator, healthy[name]) for name in HEALTHY}
            watching.cancel()
        seen = {name: seen_of(faulty[name], last[name], back=name in back) for name in FAILS}
        return Table(seen, endured, taken, lags)


async def faulty_camera(simulator: SimulatorProcess, name: str) -> CapturedCamera:
    row = FAILS.get(name) or ENDURED[name]
    more = row.camera if isinstance(row, Fails) else {}
    url = await simulator.add(msgspec.structs.replace(SMALL, name=name, **more))
    if row.fault.kind is FaultKind.RESIZE:
        other = msgspec.structs.replace(SMALL, name="other-size", width=320, height=180)
        await simulator.add(other)  # so that the clip is ready
    await simulator.fault(name, row.fault)
    transport = row.transport if isinstance(row, Fails) else "TCP"
    return CapturedCamera(
        url,
        name=name,
        transport=transport,
        connect_seconds=CONNECT,
        stall_seconds=STALL,
        draw=0.5,
    )


async def healthy_camera(simulator: SimulatorProcess, name: str) -> CapturedCamera:
    url = await simulator.add(msgspec.structs.replace(SMALL, name=name))
    return CapturedCamera(url, name=name, transport=HEALTHY[name], stall_seconds=30, draw=0.9)


async def watch_lag(lags: list[float]) -> None:
    while True:
        due = time.monotonic() + 0.005
        await asyncio.sleep(0.005)
        lags.append(time.monotonic() - due)


async def last_sent(simulator: SimulatorProcess, name: str) -> float:
    """Unix time of the last frame that the first session was sent."""
    frames = (await simulator.frames(name)).frames
    return max((frame.sent for frame in frames if frame.session == 1), default=0.0)


async def heal(simulator: SimulatorProcess, faulty: Mapping[str, CapturedCamera]) -> set[str]:
    """End every fault; who is back. A login that was refused is tried again when it is another."""
    before = {name: faulty[name].feed.sessions for name in FAILS}
    for name in FAILS:
        await simulator.heal(name)
        if name in LOGINS:
            camera = faulty[name]
            camera.target = replace(camera.target, credentials=Credentials("a", "b"))
            camera.nudge()
    for name in FAILS:
        await again(faulty[name], before[name])
    return {name for name in FAILS if faulty[name].feed.frames}


async def again(camera: CapturedCamera, sessions: int) -> None:
    """The more often it failed meanwhile, the longer it is left alone: 30 s at most."""
    await camera.until(lambda: camera.feed.sessions > sessions, seconds=90)


async def end(simulator: SimulatorProcess, camera: CapturedCamera) -> tuple[int, int, int]:
    """Let a camera close its session in order; frames sent and taken by then, and failures."""
    await simulator.fault(camera.name, Fault(FaultKind.FIN))
    await camera.failed()
    taken, failures = camera.feed.frames, len(camera.failures)
    frames = (await simulator.frames(camera.name)).frames
    return sum(frame.session == 1 for frame in frames), taken, failures


def told(camera: CapturedCamera) -> tuple[int, int, int]:
    return camera.feed.frames, camera.feed.sessions, len(camera.failures)


def seen_of(camera: CapturedCamera, last: float, *, back: bool) -> Seen:
    at, state = camera.failures[0]
    return Seen(
        failure=state.reason.value,
        message=state.message,
        lasted=at - camera.opened[0],
        silence=state.since - last,
        delay=camera.opened[1] - at,
        back=back,
    )


@pytest.mark.parametrize("name", FAILS)
def test_each_fault_has_its_reason(table: Table, name: str) -> None:
    assert (table.seen[name].failure, bool(table.seen[name].message)) == (FAILS[name].failure, True)


@pytest.mark.parametrize("name", [name for name, row in FAILS.items() if row.after == "connect"])
def test_the_connect_timeout_holds_whatever_the_camera_does(table: Table, name: str) -> None:
    assert CONNECT <= table.seen[name].lasted <= CONNECT + SLACK


@pytest.mark.parametrize("name", [name for name, row in FAILS.items() if row.after == "stall"])
def test_the_stall_timeout_holds_whatever_the_camera_does(table: Table, name: str) -> None:
    assert STALL - 0.2 <= table.seen[name].silence <= STALL + SLACK


@pytest.mark.parametrize("name", [name for name, row in FAILS.items() if row.after is None])
def test_what_fails_at_once_is_told_at_once(table: Table, name: str) -> None:
    assert table.seen[name].lasted < CONNECT


@pytest.mark.parametrize("name", sorted(FAILS.keys() - LOGINS))
def test_a_camera_is_left_alone_for_as_long_as_its_failure_asks(table: Table, name: str) -> None:
    wanted = HALF_DELAY[FAILS[name].failure]
    assert wanted <= table.seen[name].delay < wanted + 0.6


@pytest.mark.parametrize("name", FAILS)
def test_a_camera_comes_back_by_itself_when_its_fault_ends(table: Table, name: str) -> None:
    assert table.seen[name].back


@pytest.mark.parametrize("name", ENDURED)
def test_what_a_stream_can_be_read_through_ends_no_session(table: Table, name: str) -> None:
    frames, sessions, failures = table.endured[name]
    assert (frames >= 30, sessions, failures) == (True, 1, 0)


@pytest.mark.parametrize("name", HEALTHY)
def test_no_other_camera_loses_a_frame(table: Table, name: str) -> None:
    sent, taken, failures = table.healthy[name]
    assert sent > 50
    assert (taken, failures) == (sent, 1)  # the one failure is the end that the test made


def test_the_event_loop_stays_quick(table: Table) -> None:
    assert len(table.lags) > 500
    assert sorted(table.lags)[len(table.lags) * 99 // 100] < 0.05


async def test_the_other_transport_than_the_cameras_is_unsupported() -> None:
    async with asyncio.timeout(30), simulator_process() as simulator:
        only = msgspec.structs.replace(SMALL, name="udp-only", transport=Transport.UDP)
        camera = CapturedCamera(await simulator.add(only), name="udp-only")
        async with capturing(camera):
            state = await camera.failed()
    assert state.reason is Failure.UNSUPPORTED_STREAM
    assert "transport" in state.message


def test_every_kind_of_fault_is_in_the_table() -> None:
    rows: list[Fails | Endured] = [*FAILS.values(), *ENDURED.values()]
    assert {row.fault.kind for row in rows} == set(FaultKind)
