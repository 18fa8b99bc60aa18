"""Read a JPEG's header without decoding it (ITU-T T.81, annex B). Pure.

Says whether these bytes are a whole picture that is worth a decoder's time, and how large it would
become: a decompression bomb is refused here, by its header.
"""

from dataclasses import dataclass
from typing import Final

MAX_SIDE: Final = 16_384
MAX_PIXELS: Final = 34_000_000  # 8K: beyond it is no camera but a bomb
MIN_SIDE: Final = 16
MAX_SCANS: Final = 20  # a progressive picture has some ten, and one in its thumbnail

_SOI: Final = b"\xff\xd8"
_EOI: Final = b"\xff\xd9"
_SCAN: Final = b"\xff\xda"  # within coded data FF is always followed by 00, so this is exact
_STANDALONE: Final = frozenset({0x01, *range(0xD0, 0xD8)})  # TEM, RST: no length follows
_BASELINE: Final = frozenset({0xC0, 0xC1, 0xC2})  # baseline, extended, progressive: Huffman
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_SOS: Final = 0xDA
_TAIL: Final = 4096  # bytes at the end in which EOI must lie: devices append padding
_MAX_SEGMENTS: Final = 512


class NotJpeg(ValueError):
    """The bytes are no JPEG that we take; the message says which rule they break."""


@dataclass(frozen=True, slots=True)
class Header:
    """Size in pixels."""

    width: int
    height: int


def parse(data: bytes) -> Header:
    """Read the header.

    Raises:
        NotJpeg: No JPEG, one cut short, of a kind that no camera sends, or beyond the bounds.
    """
    if not data.startswith(_SOI):
        raise NotJpeg("does not begin as a JPEG (FF D8)")
    header = _scan(data)
    if data.count(_SCAN) > MAX_SCANS:
        raise NotJpeg(f"has more than {MAX_SCANS} scans: each costs as much as a whole picture")
    if _EOI not in data[-_TAIL:]:
        raise NotJpeg("is cut short: no end marker (FF D9)")
    return header


def _scan(data: bytes) -> Header:
    at, header = 2, None
    for _ in range(_MAX_SEGMENTS):
        marker, at = _marker(data, at)
        if marker in _STANDALONE:
            continue
        length = int.from_bytes(data[at : at + 2], "big")
        if length < 2 or at + length > len(data):  # noqa: PLR2004 - the length counts its own two bytes
            raise NotJpeg("is cut short in its header")
        if marker in _FRAMES:
            header = _frame(marker, data[at + 2 : at + length])
        if marker == _SOS:
            if header is None:
                raise NotJpeg("has no frame header before its scan")
            return header
        at += length
    raise NotJpeg(f"has more than {_MAX_SEGMENTS} header segments")


def _marker(data: bytes, at: int) -> tuple[int, int]:
    if data[at : at + 1] != b"\xff":
        raise NotJpeg("has no marker where one must be")
    while data[at : at + 1] == b"\xff":
        at += 1
    if at >= len(data):
        raise NotJpeg("is cut short in its header")
    return data[at], at + 1


def _frame(marker: int, segment: bytes) -> Header:
    if marker not in _BASELINE:
        raise NotJpeg("is lossless, hierarchical or arithmetic coded: not taken")
    if len(segment) < 6:  # noqa: PLR2004 - precision, height, width, components
        raise NotJpeg("is cut short in its frame header")
    precision, components = segment[0], segment[5]
    height, width = int.from_bytes(segment[1:3], "big"), int.from_bytes(segment[3:5], "big")
    if precision != 8 or components not in (1, 3):  # noqa: PLR2004 - grey or colour of 8 bits
        raise NotJpeg(f"has {components} components of {precision} bits: must be 1 or 3 of 8")
    if not (MIN_SIDE <= width <= MAX_SIDE and MIN_SIDE <= height <= MAX_SIDE):
        raise NotJpeg(f"is {width} x {height} pixels: each side must be {MIN_SIDE} to {MAX_SIDE}")
    if width * height > MAX_PIXELS:
        raise NotJpeg(f"is {width} x {height} pixels: at most {MAX_PIXELS:,} are taken")
    return Header(width, height)
