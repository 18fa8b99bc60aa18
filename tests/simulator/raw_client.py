"""An RTSP client that hides nothing: requests by hand, answers and packets as they come."""

import asyncio
import struct
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

from ingest_simulator.simulator import Simulator


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Packet:
    """An RTP packet."""

    marker: bool
    payload_type: int
    sequence: int
    timestamp: int
    source: int
    payload: bytes


def parse_rtp(data: bytes) -> Packet:
    first, second, sequence, timestamp, source = struct.unpack_from("!BBHII", data)
    assert first == 0x80
    return Packet(second >= 0x80, second & 0x7F, sequence, timestamp, source, data[12:])


class RawClient:
    def __init__(
        self, url: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.url, self.reader, self.writer = url, reader, writer
        self.session = ""
        self.reports: list[bytes] = []
        self._sequence = 0

    @classmethod
    async def open(cls, url: str) -> Self:
        parts = urlsplit(url)
        assert parts.port is not None
        return cls(url, *await asyncio.open_connection(parts.hostname, parts.port))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.close()

    def send(self, method: str, url: str | None = None, **headers: str) -> None:
        self._sequence += 1
        lines = [f"{method} {url or self.url} RTSP/1.0", f"CSeq: {self._sequence}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())

    async def ask(self, method: str, url: str | None = None, **headers: str) -> Reply:
        self.send(method, url, **headers)
        return await self.reply()

    async def reply(self) -> Reply:
        """Packets that come before it are dropped."""
        first = await self.reader.readexactly(1)
        while first == b"$":
            await self._rest_of_packet()
            first = await self.reader.readexactly(1)
        head = (first + await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in head[1:] if line)
        }
        assert headers["cseq"] == str(self._sequence)
        body = await self.reader.readexactly(int(headers.get("content-length", "0")))
        return Reply(int(head[0].split()[1]), headers, body)

    async def play(self, *, tracks: tuple[int, ...] = (0,), udp: int | None = None) -> Reply:
        """The whole handshake; every answer must be 200."""
        for method in ("OPTIONS", "DESCRIBE"):
            assert (await self.ask(method)).status == 200
        base = self.url.partition("?")[0]
        for track in tracks:
            where = f"RTP/AVP/TCP;unicast;interleaved={2 * track}-{2 * track + 1}"
            if udp is not None:
                where = f"RTP/AVP;unicast;client_port={udp}-{udp + 1}"
            reply = await self.ask("SETUP", f"{base}/trackID={track}", Transport=where)
            assert reply.status == 200
            self.session = reply.headers["session"].partition(";")[0]
        reply = await self.ask("PLAY", Session=self.session)
        assert reply.status == 200
        return reply

    async def packet(self, channel: int = 0) -> Packet:
        """The next RTP packet of this channel; reports are collected."""
        while True:
            assert await self.reader.readexactly(1) == b"$"
            at, data = await self._rest_of_packet()
            if at == channel:
                return parse_rtp(data)
            if at % 2:
                self.reports.append(data)

    async def frame(self) -> list[Packet]:
        """The packets up to a marker."""
        packets = [await self.packet()]
        while not packets[-1].marker:
            packets.append(await self.packet())
        return packets

    async def timestamps(self, count: int) -> list[int]:
        return [(await self.frame())[0].timestamp for _ in range(count)]

    async def _rest_of_packet(self) -> tuple[int, bytes]:
        channel, length = struct.unpack("!BH", await self.reader.readexactly(3))
        return channel, await self.reader.readexactly(length)


async def closed(simulator: Simulator, name: str) -> None:
    """Until the camera's first session is over."""
    while simulator.sessions(name)[0].closed is None:  # noqa: ASYNC110 - a record sets no event
        await asyncio.sleep(0.01)
