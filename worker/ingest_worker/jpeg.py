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
_PROGRESSIVE: Final = 0xC2
_TAKEN: Final = frozenset({0xC0, 0xC1, _PROGRESSIVE})  # baseline, extended: Huffman coded
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_SOS: Final = 0xDA
_TAIL: Final = 4096  # bytes at the end in which EOI must lie: devices append padding
_MAX_SEGMENTS: Final = 512
_MAX_FILL: Final = 64
_COMPONENTS: Final = 6  # place of their number in a frame header, its marker included


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
    try:
        header, scans = _scan(data)
    except IndexError:
        raise NotJpeg("is cut short in its header") from None
    if scans > MAX_SCANS:
        raise NotJpeg(f"has more than {MAX_SCANS} scans: each costs as much as a whole picture")
    if _EOI not in data[-_TAIL:]:
        raise NotJpeg("is cut short: no end marker (FF D9)")
    return header


def _scan(data: bytes) -> tuple[Header, int]:
    """The header, and how many scans a decoder would go through."""
    at, frame, header = 2, b"", None
    for _ in range(_MAX_SEGMENTS):
        marker, at = _marker(data, at)
        if marker in _STANDALONE:
            continue
        length = data[at] << 8 | data[at + 1]
        if length < 2 or at + length > len(data):  # noqa: PLR2004 - the length counts its own two bytes
            raise NotJpeg("is cut short in its header")
        if marker in _FRAMES:
            frame = bytes([marker]) + data[at + 2 : at + length]
            header = _frame(frame)
        if marker == _SOS:
            if header is None:
                raise NotJpeg("has no frame header before its scan")
            whole = frame[0] != _PROGRESSIVE and data[at + 2] == frame[_COMPONENTS]
            return header, 1 if whole else data.count(_SCAN)
        at += length
    raise NotJpeg(f"has more than {_MAX_SEGMENTS} header segments")


def _marker(data: bytes, at: int) -> tuple[int, int]:
    """The marker at a place, and where it ends; raises IndexError at the end of the data."""
    if data[at] != 0xFF:  # noqa: PLR2004 - the first byte of each marker
        raise NotJpeg("has no marker where one must be")
    end = at + 1
    while data[end] == 0xFF:  # noqa: PLR2004 - fill bytes
        end += 1
        if end - at > _MAX_FILL:
            raise NotJpeg(f"has more than {_MAX_FILL} fill bytes before a marker")
    return data[end], end + 1


def _frame(frame: bytes) -> Header:
    """The size that a frame header (its marker, then its segment) gives."""
    if frame[0] not in _TAKEN:
        raise NotJpeg("is lossless, hierarchical or arithmetic coded: not taken")
    if len(frame) <= _COMPONENTS:
        raise NotJpeg("is cut short in its frame header")
    precision, components = frame[1], frame[_COMPONENTS]
    height, width = frame[2] << 8 | frame[3], frame[4] << 8 | frame[5]
    if precision != 8 or components not in (1, 3):  # noqa: PLR2004 - grey or colour of 8 bits
        raise NotJpeg(f"has {components} components of {precision} bits: must be 1 or 3 of 8")
    if not (MIN_SIDE <= width <= MAX_SIDE and MIN_SIDE <= height <= MAX_SIDE):
        raise NotJpeg(f"is {width} x {height} pixels: each side must be {MIN_SIDE} to {MAX_SIDE}")
    if width * height > MAX_PIXELS:
        raise NotJpeg(f"is {width} x {height} pixels: at most {MAX_PIXELS:,} are taken")
    return Header(width, height)
