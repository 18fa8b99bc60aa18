from hypothesis import given
from hypothesis import strategies as st

from ingest_simulator import nal

# A unit has no start code in it and does not end in zero (7.4.1 of H.264).
UNITS = st.lists(st.binary(max_size=20).map(lambda body: b"\x65" + body.replace(b"\0", b"\1")))


@given(UNITS, st.sampled_from([b"\x00\x00\x01", b"\x00\x00\x00\x01"]))
def test_units_between_start_codes_are_found(units: list[bytes], code: bytes) -> None:
    assert nal.split(b"".join(code + unit for unit in units)) == tuple(units)


def test_types_are_read_from_the_header() -> None:
    assert nal.h264_type(b"\x67") == nal.H264.SPS
    assert nal.h265_type(b"\x42\x01") == nal.H265.SPS
