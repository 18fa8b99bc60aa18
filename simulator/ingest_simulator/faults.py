"""What can be wrong with a camera, and what it does to an answer, a packet and a clock. Pure.

A fault is a value; when it begins counts from PLAY or from the moment it was set, whichever is
later. Chance comes in as an argument.
"""

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from urllib.parse import parse_qsl

import msgspec

from ingest_simulator.camera import Codec, SimulatedCamera
from ingest_simulator.messages import Method
from ingest_simulator.rtp import FRAMING, HEADER

RTP_CLOCK = 90_000
_GARBAGE = 64
_UNAUTHORIZED, _NOT_ENOUGH_BANDWIDTH = 401, 453


class FaultKind(enum.StrEnum):
    REFUSE = "refuse"
    SILENT = "silent"
    HANG = "hang"
    DRIBBLE = "dribble"
    STATUS = "status"
    REDIRECT = "redirect"
    SDP = "sdp"
    NO_PARAMETER_SETS = "no_parameter_sets"
    B_FRAMES = "b_frames"
    AUDIO = "audio"
    DEAD_UDP = "dead_udp"
    STALL = "stall"
    FIN = "fin"
    RST = "rst"
    GARBAGE = "garbage"
    LOSE = "lose"
    CORRUPT = "corrupt"
    TIME_JUMP = "time_jump"
    TIME_STOP = "time_stop"
    TIME_BACKWARDS = "time_backwards"
    RESIZE = "resize"


class Fault(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One thing that is wrong.

    Attributes:
        kind: what.
        after: seconds of streaming before it begins.
        after_frames: frames sent before it begins; both must have passed.
        method: the request it concerns (hang, status, redirect, garbage before an answer).
        status: of `status` and `redirect`.
        location: of `redirect`; any text.
        sdp: of `sdp`; any text.
        probability: per packet, of lose, corrupt and garbage.
        seed: of the chance that decides it.
        offset: seconds that `time_jump` jumps; may be negative.
        interval: seconds from byte to byte of `dribble`.
        width, height: of the picture after `resize`.
    """

    kind: FaultKind
    after: float = 0.0
    after_frames: int = 0
    method: Method | None = None
    status: int = 0
    location: str = ""
    sdp: str = ""
    probability: float = 0.1
    seed: int = 0
    offset: float = 3600.0
    interval: float = 1.0
    width: int = 320
    height: int = 180

    def __post_init__(self) -> None:
        """Refuse by ValueError what would not be a fault but a broken simulator."""
        if self.status and not 300 <= self.status <= 599:  # noqa: PLR2004 - the rule's own text
            raise ValueError("status must be 300..599")
        if not 0 <= self.probability <= 1:
            raise ValueError("probability must be 0..1")
        if not self.interval > 0 or not self.after >= 0 or self.after_frames < 0:
            raise ValueError("interval must be above 0, after and after_frames 0 or more")
        if any(end in self.location for end in "\r\n"):
            raise ValueError("location must be one line")


@dataclass(frozen=True, slots=True)
class Reset:
    """RST, whatever was asked."""


@dataclass(frozen=True, slots=True)
class Hang:
    """Take the request, never answer."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Answer with this status instead."""

    status: int
    location: str = ""


def parse(kind: str, query: str) -> Fault:
    """The fault of a URL: `?fault=stall&after=3`, or a bare status as kind. Raises ValueError."""
    options: dict[str, str] = dict(parse_qsl(query)[:32])
    options.pop("fault", None)
    fields: Mapping[str, str] = {"kind": kind}
    if kind.isdigit():
        fields = {"kind": FaultKind.STATUS, "status": kind}
    try:
        return msgspec.convert({**options, **fields}, Fault, strict=False)
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from error


def named(query: str) -> str | None:
    """The fault that a query asks for, if any."""
    return dict(parse_qsl(query)[:32]).get("fault")


def variant(camera: SimulatedCamera, fault: Fault | None) -> SimulatedCamera:
    """The camera as this fault has it described. Raises ValueError where the camera cannot."""
    if fault is None:
        return camera
    match fault.kind:
        case FaultKind.B_FRAMES:
            return msgspec.structs.replace(camera, b_frames=max(camera.b_frames, 2))
        case FaultKind.AUDIO:
            return msgspec.structs.replace(camera, audio=True)
        case FaultKind.NO_PARAMETER_SETS if camera.codec is not Codec.MJPEG:
            return msgspec.structs.replace(camera, in_band_parameter_sets_only=True)
    return camera


def resized(camera: SimulatedCamera, fault: Fault | None) -> SimulatedCamera:
    """The camera as this fault has it appear in mid-stream. Raises ValueError likewise."""
    if fault is None or fault.kind is not FaultKind.RESIZE:
        return camera
    return msgspec.structs.replace(camera, width=fault.width, height=fault.height)


def interference(fault: Fault | None, method: str) -> Reset | Hang | Refusal | None:
    """What happens to a request instead of its answer."""
    if fault is None:
        return None
    if fault.kind is FaultKind.REFUSE:
        return Reset()
    if fault.kind is FaultKind.STATUS:
        return _status(fault, method)
    concerned = method == (fault.method or Method.DESCRIBE)
    if fault.kind is FaultKind.SILENT or (fault.kind is FaultKind.HANG and concerned):
        return Hang()
    if fault.kind is FaultKind.REDIRECT and concerned:
        return Refusal(fault.status or 302, fault.location)
    return None


def begun(fault: Fault, seconds: float, frames: int) -> bool:
    """Whether it has begun, this long and this many frames after it was set."""
    return seconds >= fault.after and frames >= fault.after_frames


def timestamp(fault: Fault, ticks: int, onset: int) -> int:
    """The RTP time that is sent for `ticks`; `onset` was the true one as the fault began."""
    match fault.kind:
        case FaultKind.TIME_JUMP:
            return ticks + round(fault.offset * RTP_CLOCK)
        case FaultKind.TIME_STOP:
            return onset
        case FaultKind.TIME_BACKWARDS:
            return 2 * onset - ticks
    return ticks


def disturb(
    fault: Fault, buffer: bytes | bytearray, spans: Sequence[tuple[int, int]], chance: Random
) -> tuple[bytes, tuple[tuple[int, int], ...]]:
    """The framed packets of one frame after loss, corruption or garbage, as buffer and spans.

    Corruption leaves the framing and RTP's header whole: it is the camera's data that is bad.
    """
    result = bytearray()
    kept: list[tuple[int, int]] = []
    for begin, end in spans:
        piece = bytes(buffer[begin:end])
        struck = chance.random() < fault.probability
        if struck and fault.kind is FaultKind.LOSE:
            continue
        pieces = [piece]
        if struck and fault.kind is FaultKind.CORRUPT:
            pieces = [_corrupted(piece, chance)]
        elif struck and fault.kind is FaultKind.GARBAGE:
            pieces = [garbage(chance), piece]
        for each in pieces:
            kept.append((len(result), len(result) + len(each)))
            result += each
    return bytes(result), tuple(kept)


def garbage(chance: Random) -> bytes:
    """Bytes that mean nothing in RTSP; none of them is "$", which would begin a packet."""
    return chance.randbytes(_GARBAGE).replace(b"$", b"%")


def _corrupted(piece: bytes, chance: Random) -> bytes:
    bad = bytearray(piece)
    first = FRAMING + HEADER
    for _ in range(1 + (len(piece) - first) // 100):
        bad[chance.randrange(first, len(piece))] ^= chance.randrange(1, 256)
    return bytes(bad)


def _status(fault: Fault, method: str) -> Refusal | None:
    status = fault.status or 503
    usual = Method.SETUP if status == _NOT_ENOUGH_BANDWIDTH else Method.DESCRIBE
    # A camera that knows nobody says so to whatever is asked of it.
    everything = status == _UNAUTHORIZED and fault.method is None and method != Method.OPTIONS
    return Refusal(status) if everything or method == (fault.method or usual) else None
