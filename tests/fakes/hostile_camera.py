"""A camera that answers whatever it is told to, whether that is RTSP or not."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import repeat
from typing import Final

MEDIA: Final = "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:trackID=0\r\n"
SDP: Final = f"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\n{MEDIA}"


def described(sdp: str) -> bytes:
    """Headers and body of an answer to DESCRIBE."""
    body = sdp.encode()
    return b"Content-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


@dataclass(frozen=True)
class Script:
    """What it says.

    Attributes:
        answers: By method, what follows `RTSP/1.0 200 OK` and CSeq; else what is right.
        raw: By method, pieces that are sent instead of an answer.
        stream: Pieces that follow the answer to PLAY.
    """

    answers: Mapping[str, bytes] = field(default_factory=dict)
    raw: Mapping[str, Iterable[bytes]] = field(default_factory=dict)
    stream: Iterable[bytes] = ()


_RIGHT: Final[Mapping[str, bytes]] = {
    "OPTIONS": b"Public: OPTIONS, DESCRIBE, SETUP, PLAY\r\n\r\n",
    "DESCRIBE": described(SDP),
    "SETUP": b"Session: 1\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n\r\n",
    "PLAY": b"Session: 1\r\n\r\n",
}


@asynccontextmanager
async def hostile_camera(script: Script) -> AsyncIterator[str]:
    """Its URL."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await _converse(script, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            writer.transport.abort()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.create_task(serve(reader, writer)))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield f"rtsp://127.0.0.1:{server.sockets[0].getsockname()[1]}/x"
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _converse(
    script: Script, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    while True:
        head = await reader.readuntil(b"\r\n\r\n")
        method = head.split(b" ", 1)[0].decode()
        sequence = head.lower().partition(b"cseq:")[2].split(b"\r\n")[0].strip()
        if method in script.raw:
            await _send(writer, script.raw[method])
            continue
        rest = script.answers.get(method, _RIGHT.get(method, b"\r\n"))
        await _send(writer, [b"RTSP/1.0 200 OK\r\nCSeq: %b\r\n%b" % (sequence, rest)])
        if method == "PLAY":
            await _send(writer, script.stream)


async def _send(writer: asyncio.StreamWriter, pieces: Iterable[bytes]) -> None:
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0)  # so that a never-ending one leaves the loop to the others


def for_ever(piece: bytes) -> Iterable[bytes]:
    return repeat(piece)


def interleaved(packet: bytes, channel: int = 0) -> bytes:
    return b"$%c%b%b" % (channel, len(packet).to_bytes(2, "big"), packet)


def rtp(payload: bytes, *, sequence: int = 0, timestamp: int = 0, marker: bool = False) -> bytes:
    """One RTP packet of payload type 96."""
    head = bytes((0x80, 96 | (0x80 if marker else 0)))
    return head + sequence.to_bytes(2, "big") + timestamp.to_bytes(4, "big") + b"ssrc" + payload
