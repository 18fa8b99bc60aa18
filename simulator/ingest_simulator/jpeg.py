"""The parts of a baseline JPEG that RFC 2435 sends. Pure.

Promises: what cannot be sent with default Huffman tables and 8-bit quantisation is refused here,
rather than becoming a picture that only some receivers can read.
"""

from dataclasses import dataclass

_SOI, _EOI, _SOF0, _DHT, _DQT, _DRI, _SOS = 0xD8, 0xD9, 0xC0, 0xC4, 0xDB, 0xDD, 0xDA
_TABLE = 64
_KINDS = {0x21: 0, 0x22: 1}  # luma's sampling factors: RFC 2435 types 0 (4:2:2) and 1 (4:2:0)

# ITU-T T.81 annex K.3: number of codes per length, of the four typical tables; the decoder of an
# RTP stream assumes exactly these.
_DEFAULT_LENGTHS = {
    0x00: bytes((0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0)),
    0x01: bytes((0, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0)),
    0x10: bytes((0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 0x7D)),
    0x11: bytes((0, 2, 1, 2, 4, 4, 3, 4, 7, 5, 4, 4, 0, 1, 2, 0x77)),
}


class UnsendableJpegError(ValueError):
    """This JPEG has no form in RFC 2435."""


@dataclass(frozen=True, slots=True)
class Jpeg:
    """A picture as it is sent.

    kind: RFC 2435 type. tables: luma and chroma quantisation, zigzag. scan: entropy-coded data.
    """

    kind: int
    width: int
    height: int
    tables: tuple[bytes, bytes]
    scan: bytes


def parse(data: bytes) -> Jpeg:
    """Raises UnsendableJpegError."""
    if data[:2] != bytes((0xFF, _SOI)):
        raise UnsendableJpegError("no start of image")
    tables: dict[int, bytes] = {}
    frame: bytes | None = None
    at = 2
    while at + 4 <= len(data):
        if data[at] != 0xFF:  # noqa: PLR2004 - every marker begins with it
            raise UnsendableJpegError("no marker where one must be")
        marker = data[at + 1]
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        segment = data[at + 4 : at + 2 + length]
        at += 2 + length
        if marker == _DQT:
            tables |= _quantisation(segment)
        elif marker == _SOF0:
            frame = segment
        elif marker == _DHT:
            _must_be_default(segment)
        elif marker == _DRI:
            raise UnsendableJpegError("restart intervals")
        elif marker == _SOS:
            return _picture(frame, tables, _scan(data[at:]))
    raise UnsendableJpegError("no scan")


def _quantisation(segment: bytes) -> dict[int, bytes]:
    tables: dict[int, bytes] = {}
    for at in range(0, len(segment), 1 + _TABLE):
        precision, number = segment[at] >> 4, segment[at] & 0x0F
        if precision:
            raise UnsendableJpegError("16-bit quantisation")
        tables[number] = segment[at + 1 : at + 1 + _TABLE]
    return tables


def _must_be_default(segment: bytes) -> None:
    at = 0
    while at < len(segment):
        lengths = segment[at + 1 : at + 17]
        if _DEFAULT_LENGTHS.get(segment[at]) != lengths:
            raise UnsendableJpegError("Huffman tables other than the default")
        at += 17 + sum(lengths)


def _scan(rest: bytes) -> bytes:
    end = rest.rfind(bytes((0xFF, _EOI)))
    return rest if end < 0 else rest[:end]


def _picture(frame: bytes | None, tables: dict[int, bytes], scan: bytes) -> Jpeg:
    if frame is None or len(frame) < 15 or frame[5] != 3:  # noqa: PLR2004 - three components
        raise UnsendableJpegError("not a baseline picture of three components")
    height, width = int.from_bytes(frame[1:3], "big"), int.from_bytes(frame[3:5], "big")
    kind = _KINDS.get(frame[7])
    if kind is None or frame[10] != 0x11 or frame[13] != 0x11:  # noqa: PLR2004 - factors 1 and 1
        raise UnsendableJpegError("sampling other than 4:2:2 and 4:2:0")
    if width % 8 or height % 8 or max(width, height) > 255 * 8:
        raise UnsendableJpegError("size in blocks does not fit")
    luma, chroma = tables.get(frame[8]), tables.get(frame[11])
    if luma is None or chroma is None:
        raise UnsendableJpegError("quantisation table missing")
    return Jpeg(kind, width, height, (luma, chroma), scan)
