"""RTP packets of one frame, prepared once and stamped at each sending. Pure.

A clip is sent thousands of times and only sequence number, timestamp, source and channel differ:
`prepare` lays all packets of a frame out in one buffer, framed for interleaving (RFC 2326, 10.12);
`stamp` copies it and patches the headers.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

FRAMING = 4  # "$", channel, length
HEADER = 12
# Fits an Ethernet frame in IPv6 over UDP with the usual tunnels' overhead.
PAYLOAD_LIMIT = 1400
_VERSION = 0x80
_MARKER = 0x80
_PATCH = struct.Struct("!HII")  # sequence number, timestamp, source
_HEAD = struct.Struct("!BBHBBHII")


@dataclass(frozen=True, slots=True)
class Prepared:
    """The packets of one frame, back to back. spans: (begin, end) of each, framing included."""

    buffer: bytes
    spans: tuple[tuple[int, int], ...]


def prepare(payloads: Sequence[bytes], payload_type: int) -> Prepared:
    """Frame the payloads of one frame; the last packet carries the marker (RFC 6184, 5.1)."""
    buffer = bytearray()
    spans: list[tuple[int, int]] = []
    last = len(payloads) - 1
    for number, payload in enumerate(payloads):
        begin = len(buffer)
        marker = _MARKER if number == last else 0
        length = HEADER + len(payload)
        buffer += _HEAD.pack(0x24, 0, length, _VERSION, marker | payload_type, 0, 0, 0)
        buffer += payload
        spans.append((begin, len(buffer)))
    return Prepared(bytes(buffer), tuple(spans))


def stamp(
    prepared: Prepared, *, channel: int, sequence: int, timestamp: int, source: int
) -> bytearray:
    """A copy ready to be sent; the first packet gets `sequence`, each next one the next."""
    buffer = bytearray(prepared.buffer)
    timestamp &= 0xFFFFFFFF
    for begin, _ in prepared.spans:
        if channel:
            buffer[begin + 1] = channel
        _PATCH.pack_into(buffer, begin + FRAMING + 2, sequence & 0xFFFF, timestamp, source)
        sequence += 1
    return buffer


def interleaved(packet: bytes, channel: int) -> bytes:
    """One packet framed for the RTSP connection (RFC 2326, 10.12)."""
    return b"$" + bytes((channel,)) + len(packet).to_bytes(2, "big") + packet
