"""Ways to treat a TCP connection badly."""

import asyncio
import socket
import struct

_LINGER_FOR_NOTHING = struct.pack("ii", 1, 0)


def reset(transport: asyncio.WriteTransport) -> None:
    """End it by RST, whatever is still unsent."""
    connection = transport.get_extra_info("socket")
    if connection is not None and not transport.is_closing():
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_FOR_NOTHING)
    transport.abort()


async def dribble(writer: asyncio.StreamWriter, data: bytes, interval: float) -> None:
    """One byte, then `interval` seconds of nothing, and so on. Raises ConnectionError."""
    for at in range(len(data)):
        writer.write(data[at : at + 1])
        await writer.drain()
        await asyncio.sleep(interval)
