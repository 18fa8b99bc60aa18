"""NAL units of H.264 and H.265: split an access unit, know the kinds that matter. Pure."""

import enum
import re

_START_CODE = re.compile(rb"\x00\x00\x01")


class H264(enum.IntEnum):
    """nal_unit_type, ITU-T H.264 table 7-1."""

    SEI = 6
    SPS = 7
    PPS = 8
    AUD = 9
    FILLER = 12


class H265(enum.IntEnum):
    """nal_unit_type, ITU-T H.265 table 7-1."""

    VPS = 32
    SPS = 33
    PPS = 34
    AUD = 35
    SEI_PREFIX = 39
    SEI_SUFFIX = 40


def split(annex_b: bytes) -> tuple[bytes, ...]:
    """The NAL units of a byte stream (H.264 annex B), without start codes and trailing zeros."""
    starts = [match.end() for match in _START_CODE.finditer(annex_b)]
    ends = [*(start - 3 for start in starts[1:]), len(annex_b)]
    units = (annex_b[a:b].rstrip(b"\x00") for a, b in zip(starts, ends, strict=False))
    return tuple(unit for unit in units if unit)


def h264_type(unit: bytes) -> int:
    return unit[0] & 0x1F


def h265_type(unit: bytes) -> int:
    return unit[0] >> 1 & 0x3F
