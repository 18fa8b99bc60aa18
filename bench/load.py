"""A client that asks as fast as it is answered: `python -m bench.load`, in a process of its own.

Reads one job as a line of JSON, does it, answers with what came of it, and takes the next. Raw
sockets with each answer's head read just far enough to know its end: it must not be the bottleneck,
and its own CPU is told so that one can see that it was not.
"""

import asyncio
import sys
import time
from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import Struct

_LENGTH: Final = b"\r\ncontent-length:"
_HEAD_END: Final = b"\r\n\r\n"
_BUFFER: Final = 1 << 18


class Job(Struct, frozen=True):
    """Ask the paths in turn, over so many connections, for so long."""

    port: int
    paths: list[str]
    connections: int
    seconds: float
    method: str = "GET"
    headers: str = ""
    body: bytes = b""


class Done(Struct, frozen=True):
    """Answers of the expected class (2xx), others, seconds, and the client's CPU seconds."""

    good: int
    bad: int
    seconds: float
    cpu: float

    @property
    def rate(self) -> float:
        return self.good / self.seconds


class Connection(asyncio.BufferedProtocol):
    """One request after the other."""

    def __init__(self, requests: Sequence[bytes]) -> None:
        self._requests = requests
        self._next = 0
        self._buffer = bytearray(_BUFFER)
        self._view = memoryview(self._buffer)
        self._filled = 0  # of the buffer, while the head is not complete
        self._left = 0  # of the body
        self.good = 0
        self.bad = 0
        self.ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._ask()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol's
        self.bad += not self.ended
        self.ended = True

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - the protocol's
        return self._view[self._filled :]

    def buffer_updated(self, nbytes: int) -> None:
        if self._left:
            self._left -= nbytes
        else:
            self._filled += nbytes
            end = self._buffer.find(_HEAD_END, 0, self._filled)
            if end < 0:
                return
            head = bytes(self._buffer[:end]).lower()
            _, _, length = head.partition(_LENGTH)
            whole = int(length.partition(b"\r")[0]) + end + len(_HEAD_END)
            self._left = whole - self._filled
            self._filled = 0
            if head[9:10] == b"2":
                self.good += 1
            else:
                self.bad += 1
        if self._left == 0:
            self._ask()

    def end(self) -> None:
        self.ended = True
        self._transport.abort()

    def _ask(self) -> None:
        self._transport.write(self._requests[self._next])
        self._next = (self._next + 1) % len(self._requests)


async def do(job: Job) -> Done:
    requests = [
        f"{job.method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{job.headers}"
        f"Content-Length: {len(job.body)}\r\n\r\n".encode()
        + job.body
        for path in job.paths
    ]
    loop = asyncio.get_running_loop()
    connections = []
    for number in range(job.connections):
        first = number * len(requests) // job.connections
        turn = requests[first:] + requests[:first]
        _, made = await loop.create_connection(
            lambda turn=turn: Connection(turn),  # type: ignore[misc]
            "127.0.0.1",
            job.port,
        )
        connections.append(made)
    began, cpu = time.monotonic(), time.process_time()
    before = sum(each.good for each in connections), sum(each.bad for each in connections)
    await asyncio.sleep(job.seconds)
    done = Done(
        sum(each.good for each in connections) - before[0],
        sum(each.bad for each in connections) - before[1],
        time.monotonic() - began,
        time.process_time() - cpu,
    )
    for each in connections:
        each.end()
    await asyncio.sleep(0)
    return done


def main() -> None:
    for line in sys.stdin.buffer:
        done = asyncio.run(do(msgspec.json.decode(line, type=Job)))
        sys.stdout.buffer.write(msgspec.json.encode(done) + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
