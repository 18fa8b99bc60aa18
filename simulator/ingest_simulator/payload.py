"""RTP payload formats: from the units of one frame to the payloads of its packets. Pure.

Promises: no payload is longer than the limit; the concatenation that the RFC describes gives the
frame back bit by bit.
"""

from collections.abc import Iterable, Iterator

from ingest_simulator.jpeg import Jpeg

MIN_LIMIT = 256
_H264_FU_A = 28
_H265_FU = 49
_START = 0x80
_END = 0x40


def h264(units: Iterable[bytes], limit: int) -> list[bytes]:
    """Single NAL unit packets and FU-A, packetization-mode 1 (RFC 6184, 5.6 and 5.8)."""
    payloads: list[bytes] = []
    for unit in units:
        if len(unit) <= limit:
            payloads.append(unit)
            continue
        indicator = unit[0] & 0xE0 | _H264_FU_A
        payloads += (
            bytes((indicator, edge | unit[0] & 0x1F)) + piece
            for edge, piece in _fragments(unit[1:], limit - 2)
        )
    return payloads


def h265(units: Iterable[bytes], limit: int) -> list[bytes]:
    """Single NAL unit packets and fragmentation units without DONL (RFC 7798, 4.4.1 and 4.4.3)."""
    payloads: list[bytes] = []
    for unit in units:
        if len(unit) <= limit:
            payloads.append(unit)
            continue
        header = bytes((unit[0] & 0x81 | _H265_FU << 1, unit[1]))
        kind = unit[0] >> 1 & 0x3F
        payloads += (
            header + bytes((edge | kind,)) + piece
            for edge, piece in _fragments(unit[2:], limit - 3)
        )
    return payloads


def mjpeg(picture: Jpeg, limit: int) -> list[bytes]:
    """One JPEG, its quantisation tables in band: Q=255 (RFC 2435, 3.1)."""
    tables = b"".join(picture.tables)
    leading = b"\x00\x00" + len(tables).to_bytes(2, "big") + tables
    payloads: list[bytes] = []
    offset = 0
    while offset < len(picture.scan) or not payloads:
        header = (
            b"\x00"
            + offset.to_bytes(3, "big")
            + bytes((picture.kind, 255, picture.width // 8, picture.height // 8))
            + (b"" if payloads else leading)
        )
        piece = picture.scan[offset : offset + limit - len(header)]
        payloads.append(header + piece)
        offset += len(piece)
    return payloads


def _fragments(body: bytes, size: int) -> Iterator[tuple[int, bytes]]:
    """(start and end bits, piece) of each fragment; never one that is start and end at once."""
    for at in range(0, len(body), size):
        edge = (_START if at == 0 else 0) | (_END if at + size >= len(body) else 0)
        yield edge, body[at : at + size]
