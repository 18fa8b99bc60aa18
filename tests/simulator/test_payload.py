"""What was cut into packets comes together again, as the RFCs say how."""

from hypothesis import given
from hypothesis import strategies as st

from ingest_simulator import payload
from ingest_simulator.jpeg import Jpeg

LIMITS = st.integers(payload.MIN_LIMIT, 1500)
BODIES = st.integers(0, 6000).map(lambda length: bytes(at * 7 % 251 for at in range(length)))
H264_UNITS = st.builds(
    lambda reference, kind, body: bytes((reference << 5 | kind,)) + body,
    st.integers(0, 3),
    st.integers(1, 23),
    BODIES,
)
H265_UNITS = st.builds(
    lambda kind, layer, body: bytes((kind << 1, layer)) + body,
    st.integers(0, 47),
    st.integers(1, 7),
    BODIES,
)


def joined_h264(payloads: list[bytes]) -> list[bytes]:
    units: list[bytes] = []
    for each in payloads:
        if each[0] & 0x1F != 28:
            units.append(each)
            continue
        start, end = each[1] & 0x80, each[1] & 0x40
        assert not (start and end)
        if start:
            units.append(bytes((each[0] & 0xE0 | each[1] & 0x1F,)))
        units[-1] += each[2:]
    return units


def joined_h265(payloads: list[bytes]) -> list[bytes]:
    units: list[bytes] = []
    for each in payloads:
        if each[0] >> 1 != 49:
            units.append(each)
            continue
        start, end = each[2] & 0x80, each[2] & 0x40
        assert not (start and end)
        if start:
            units.append(bytes((each[0] & 0x81 | (each[2] & 0x3F) << 1, each[1])))
        units[-1] += each[3:]
    return units


@given(st.lists(H264_UNITS, min_size=1, max_size=4), LIMITS)
def test_h264_units_come_together_again(units: list[bytes], limit: int) -> None:
    payloads = payload.h264(units, limit)
    assert joined_h264(payloads) == units
    assert max(map(len, payloads)) <= limit


@given(st.lists(H265_UNITS, min_size=1, max_size=4), LIMITS)
def test_h265_units_come_together_again(units: list[bytes], limit: int) -> None:
    payloads = payload.h265(units, limit)
    assert joined_h265(payloads) == units
    assert max(map(len, payloads)) <= limit


def test_a_fragmented_unit_ends_with_the_end_bit_once() -> None:
    edges = [each[1] & 0xC0 for each in payload.h264([b"\x65" + bytes(1000)], 300)]
    assert edges == [0x80, 0, 0, 0x40]


@given(BODIES, LIMITS)
def test_a_jpeg_scan_comes_together_at_its_offsets(scan: bytes, limit: int) -> None:
    tables = (bytes(range(64)), bytes(range(64, 128)))
    payloads = payload.mjpeg(Jpeg(1, 640, 360, tables, scan), limit)
    found = b""
    for number, each in enumerate(payloads):
        assert len(each) <= limit
        assert each[4:8] == bytes((1, 255, 80, 45))
        assert int.from_bytes(each[1:4], "big") == len(found)
        if number == 0:
            assert each[8:12] == b"\x00\x00\x00\x80"
            assert each[12:140] == b"".join(tables)
        found += each[8:] if number else each[140:]
    assert found == scan
