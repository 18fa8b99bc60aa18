"""Where the packets of one track go: into the RTSP connection, or as datagrams.

Promises: never waits. A reader slower than its stream ends (TCP) or loses packets (UDP).
"""

import asyncio
import socket
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from ingest_simulator import rtp

MAX_UNSENT = 4 * 1024 * 1024
"""Bytes that may wait for a slow reader."""


class SlowReaderError(ConnectionError):
    """The client takes less than it is sent, and its buffer is full."""


class Output(Protocol):
    @property
    def channel(self) -> int: ...

    def send(self, buffer: bytes | bytearray, spans: Sequence[tuple[int, int]]) -> None:
        """Framed RTP packets, back to back. Raises SlowReaderError."""

    def report(self, packet: bytes) -> None:
        """One RTCP packet."""


@dataclass(frozen=True, slots=True)
class Interleaved:
    """RFC 2326, 10.12: RTP on `channel`, RTCP on the next."""

    transport: asyncio.WriteTransport
    channel: int
    control: int

    def send(self, buffer: bytes | bytearray, spans: Sequence[tuple[int, int]]) -> None:  # noqa: ARG002 - the framing is in the buffer
        if self.transport.get_write_buffer_size() > MAX_UNSENT:
            raise SlowReaderError
        self.transport.write(buffer)

    def report(self, packet: bytes) -> None:
        self.transport.write(rtp.interleaved(packet, self.control))


@dataclass(frozen=True, slots=True)
class Datagrams:
    """What the kernel does not take at once is lost, as it would be on a wire."""

    ports: "UdpPorts"
    rtp: tuple[str, int]
    rtcp: tuple[str, int]
    channel: int = 0

    def send(self, buffer: bytes | bytearray, spans: Sequence[tuple[int, int]]) -> None:
        view = memoryview(buffer)
        with suppress(OSError):
            for begin, end in spans:
                self.ports.rtp.sendto(view[begin + rtp.FRAMING : end], self.rtp)

    def report(self, packet: bytes) -> None:
        with suppress(OSError):
            self.ports.rtcp.sendto(packet, self.rtcp)


class UdpPorts:
    """One pair of ports, even and odd (RFC 3550, 11), from which every UDP session is sent.

    What clients send to them is not read: the kernel drops it.
    """

    def __init__(self, host: str) -> None:
        """Raises OSError when no pair is free."""
        self.rtp, self.rtcp = _pair(host)

    @property
    def numbers(self) -> tuple[int, int]:
        return self.rtp.getsockname()[1], self.rtcp.getsockname()[1]

    def close(self) -> None:
        self.rtp.close()
        self.rtcp.close()


def _pair(host: str) -> tuple[socket.socket, socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for _ in range(64):
        first = _bound(family, host, 0)
        port: int = first.getsockname()[1]
        with suppress(OSError):
            if port % 2 == 0:
                return first, _bound(family, host, port + 1)
        first.close()
    raise OSError("no even and odd pair of UDP ports is free")


def _bound(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
    made = socket.socket(family, socket.SOCK_DGRAM)
    try:
        made.setblocking(False)
        made.bind((host, port))
    except OSError:
        made.close()
        raise
    return made
