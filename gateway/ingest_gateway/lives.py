"""What workers say of their cameras at this moment, asked at most once a second each."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

import msgspec

from ingest_core.errors import WorkerFailed
from ingest_core.live import Live
from ingest_gateway.worker_client import Answer, Question, WorkerClient

AGE_SECONDS: Final = 1.0  # at most, of what is told
ASK_SECONDS: Final = 2.0  # until an answer begins, and as long again until its end
MAX_BYTES: Final = 4 * 1024 * 1024
_OK: Final = 200
_QUESTION: Final = Question("GET", "/live", seconds=ASK_SECONDS)


@dataclass(slots=True)
class _Said:
    """By one worker, last; `lock` lets one ask for all who want to know."""

    lives: Mapping[str, Live] = field(default_factory=dict)
    at: float = float("-inf")
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Lives:
    """Remembers what each worker said last: bounded by the names that workers have."""

    def __init__(self, client: WorkerClient, now: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._now = now
        self._said: dict[str, _Said] = {}

    async def of(self, worker: str) -> Mapping[str, Live]:
        """Its cameras by id; none if it cannot be asked."""
        said = self._said.setdefault(worker, _Said())
        async with said.lock:
            if self._now() - said.at >= AGE_SECONDS:
                said.lives = await self._ask(worker)
                said.at = self._now()
        return said.lives

    async def _ask(self, worker: str) -> Mapping[str, Live]:
        try:
            async with (
                asyncio.timeout(2 * ASK_SECONDS),
                self._client.ask(worker, _QUESTION) as answer,
            ):
                told = await _read(answer) if answer.status == _OK else []
        except (WorkerFailed, TimeoutError, msgspec.DecodeError):
            return {}
        return {live.camera_id: live for live in told}


async def _read(answer: Answer) -> list[Live]:
    body = bytearray()
    while (chunk := await answer.chunk()) and len(body) <= MAX_BYTES:
        body += chunk
    return msgspec.json.decode(body, type=list[Live])
