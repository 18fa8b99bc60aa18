"""Take the next message off an RTSP connection, bounded."""

import asyncio
from dataclasses import dataclass

from ingest_simulator import messages
from ingest_simulator.messages import BadRequestError, Request


@dataclass(frozen=True, slots=True)
class ClientPacket:
    """RTCP (or anything) interleaved by the client: a sign of life and nothing else."""


async def read(reader: asyncio.StreamReader) -> Request | ClientPacket | None:
    """None at the end of the connection. Raises BadRequestError, ConnectionError.

    The reader's own limit bounds a request's head.
    """
    try:
        first = b"\n"
        while first in b"\r\n":
            first = await reader.readexactly(1)
        if first == b"$":
            head = await reader.readexactly(3)
            await reader.readexactly(int.from_bytes(head[1:], "big"))
            return ClientPacket()
        request = messages.parse_request(first + await reader.readuntil(b"\r\n\r\n"))
        await reader.readexactly(request.body_length)
    except asyncio.IncompleteReadError:
        return None
    except asyncio.LimitOverrunError as error:
        raise BadRequestError("head too long") from error
    return request


async def discard(reader: asyncio.StreamReader) -> None:
    """Until the client ends the connection."""
    while await reader.read(64 * 1024):
        pass
