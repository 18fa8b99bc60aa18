from random import Random

import pytest

from ingest_simulator import faults, rtp
from ingest_simulator.camera import Codec, SimulatedCamera
from ingest_simulator.faults import Fault, FaultKind, Hang, Refusal, Reset
from ingest_simulator.messages import Method

PREPARED = rtp.prepare([bytes(range(1, 200))] * 20, 96)


@pytest.mark.parametrize(
    ("fault", "method", "outcome"),
    [
        (None, Method.DESCRIBE, None),
        (Fault(FaultKind.REFUSE), Method.OPTIONS, Reset()),
        (Fault(FaultKind.SILENT), Method.OPTIONS, Hang()),
        (Fault(FaultKind.HANG), Method.DESCRIBE, Hang()),
        (Fault(FaultKind.HANG), Method.OPTIONS, None),
        (Fault(FaultKind.HANG, method=Method.PLAY), Method.PLAY, Hang()),
        (Fault(FaultKind.HANG, method=Method.PLAY), Method.DESCRIBE, None),
        (Fault(FaultKind.STATUS), Method.DESCRIBE, Refusal(503)),
        (Fault(FaultKind.STATUS, status=404), Method.OPTIONS, None),
        (Fault(FaultKind.STATUS, status=453), Method.DESCRIBE, None),
        (Fault(FaultKind.STATUS, status=453), Method.SETUP, Refusal(453)),
        (Fault(FaultKind.STATUS, status=401), Method.OPTIONS, None),
        (Fault(FaultKind.STATUS, status=401), Method.PLAY, Refusal(401)),
        (Fault(FaultKind.STATUS, status=403, method=Method.PLAY), Method.DESCRIBE, None),
        (Fault(FaultKind.STATUS, status=403, method=Method.PLAY), Method.PLAY, Refusal(403)),
        (Fault(FaultKind.REDIRECT, location="x"), Method.DESCRIBE, Refusal(302, "x")),
        (Fault(FaultKind.REDIRECT, location="x"), Method.SETUP, None),
        (Fault(FaultKind.STALL), Method.DESCRIBE, None),
    ],
)
def test_a_fault_meets_the_requests_it_concerns(
    fault: Fault | None, method: Method, outcome: object
) -> None:
    assert faults.interference(fault, method) == outcome


def test_a_fault_begins_when_both_its_seconds_and_its_frames_are_over() -> None:
    fault = Fault(FaultKind.STALL, after=2.0, after_frames=10)
    assert faults.begun(fault, 2.0, 10)
    assert not faults.begun(fault, 1.9, 99)
    assert not faults.begun(fault, 99, 9)


@pytest.mark.parametrize(
    ("fault", "ticks"),
    [
        (Fault(FaultKind.TIME_JUMP, offset=-2), 1500 - 180_000),
        (Fault(FaultKind.TIME_STOP), 1000),
        (Fault(FaultKind.TIME_BACKWARDS), 500),
        (Fault(FaultKind.LOSE), 1500),
    ],
)
def test_a_fault_bends_time_from_its_onset(fault: Fault, ticks: int) -> None:
    assert faults.timestamp(fault, 1500, 1000) == ticks


def test_lost_packets_are_missing_whole() -> None:
    fault = Fault(FaultKind.LOSE, probability=0.5)
    data, spans = faults.disturb(fault, PREPARED.buffer, PREPARED.spans, Random(1))
    assert 0 < len(spans) < 20
    originals = {PREPARED.buffer[begin:end] for begin, end in PREPARED.spans}
    assert {data[begin:end] for begin, end in spans} <= originals
    assert spans[-1][1] == len(data)


def test_corruption_leaves_framing_and_header_whole() -> None:
    fault = Fault(FaultKind.CORRUPT, probability=1)
    data, spans = faults.disturb(fault, PREPARED.buffer, PREPARED.spans, Random(1))
    assert spans == PREPARED.spans
    for begin, end in spans:
        assert data[begin : begin + 16] == PREPARED.buffer[begin : begin + 16]
        assert data[begin:end] != PREPARED.buffer[begin:end]


def test_garbage_comes_between_whole_packets_and_begins_none() -> None:
    fault = Fault(FaultKind.GARBAGE, probability=1)
    data, spans = faults.disturb(fault, PREPARED.buffer, PREPARED.spans, Random(1))
    pieces = [data[begin:end] for begin, end in spans]
    assert b"".join(pieces[1::2]) == PREPARED.buffer
    assert all(piece and b"$" not in piece for piece in pieces[::2])


def test_the_same_seed_strikes_the_same_packets() -> None:
    fault = Fault(FaultKind.LOSE, probability=0.5)
    first, second = (
        faults.disturb(fault, PREPARED.buffer, PREPARED.spans, Random(4)) for _ in range(2)
    )
    assert first == second


def test_a_url_spells_a_fault() -> None:
    assert faults.named("after=3&fault=stall") == "stall"
    assert faults.named("after=3") is None
    assert faults.parse("stall", "fault=stall&after=3") == Fault(FaultKind.STALL, after=3.0)
    assert faults.parse("404", "") == Fault(FaultKind.STATUS, status=404)
    assert faults.parse("hang", "method=PLAY") == Fault(FaultKind.HANG, method=Method.PLAY)


@pytest.mark.parametrize(
    ("kind", "query"),
    [
        ("explode", ""),
        ("99", ""),
        ("stall", "after=soon"),
        ("stall", "after=-1"),
        ("stall", "after=nan"),
        ("stall", "after_frames=-1"),
        ("lose", "probability=2"),
        ("dribble", "interval=0"),
        ("redirect", "location=a%0d%0ab"),
        ("stall", "unknown=1"),
    ],
)
def test_a_url_that_spells_no_fault_is_refused(kind: str, query: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the text is msgspec's, or one of many
        faults.parse(kind, query)


def test_a_fault_that_the_camera_cannot_have_is_refused() -> None:
    mjpeg = SimulatedCamera(name="a", codec=Codec.MJPEG)
    with pytest.raises(ValueError, match="b_frames"):
        faults.variant(mjpeg, Fault(FaultKind.B_FRAMES))
    with pytest.raises(ValueError, match="multiples"):
        faults.resized(mjpeg, Fault(FaultKind.RESIZE, width=162))
