"""RTCP: the sender report that ties RTP time to wall-clock time (RFC 3550, 6.4.1). Pure."""

import struct

_UNIX_TO_NTP = 2_208_988_800  # seconds from 1900 to 1970
_SENDER_REPORT, _DESCRIPTION = 200, 202
_CNAME = 1
_WORD = 4


def sender_report(
    *, source: int, wall: float, timestamp: int, packets: int, octets: int, name: str
) -> bytes:
    """SR and SDES as one compound packet.

    `wall`: Unix seconds at which a sample of RTP time `timestamp` was taken.
    """
    ntp = round((wall + _UNIX_TO_NTP) * (1 << 32))
    report = struct.pack(
        "!BBHIQIII",
        0x80,
        _SENDER_REPORT,
        6,
        source,
        ntp & 0xFFFFFFFFFFFFFFFF,
        timestamp & 0xFFFFFFFF,
        packets & 0xFFFFFFFF,
        octets & 0xFFFFFFFF,
    )
    return report + _description(source, name)


def _description(source: int, name: str) -> bytes:
    text = name.encode()[:255]
    chunk = struct.pack("!IBB", source, _CNAME, len(text)) + text
    chunk += b"\x00" * (_WORD - len(chunk) % _WORD)
    return struct.pack("!BBH", 0x81, _DESCRIPTION, len(chunk) // _WORD) + chunk
