"""Write to the registry what this worker sees of its cameras: on transitions, merged, never often.

`conditions` is pure. The Reporter merges what changes within a moment, and what could not be
written is written later: a registry that is away costs nothing but time.
"""

import asyncio
import random
from collections.abc import Callable, Mapping
from typing import Final, Literal, Never

import structlog

from ingest_core import model
from ingest_core.errors import RegistryUnavailable
from ingest_core.events import rfc3339
from ingest_core.model import Camera, Condition, ConnectedReason, Stream
from ingest_core.registry import WorkerRegistry
from ingest_worker.feed import Feed, State

log: structlog.stdlib.BoundLogger = structlog.get_logger()

DEBOUNCE_SECONDS: Final = 0.2
RETRY_SECONDS: Final = 2.0


def conditions(state: State, generation: int) -> tuple[Condition, Condition]:
    """Connected and Ready, from what the worker sees."""
    status: Literal["True", "False"] = "True" if state.connected else "False"
    unknown = state.reason in (ConnectedReason.CONNECTING, ConnectedReason.WAITING_FOR_PUSH)

    def condition(type_: str) -> Condition:
        return Condition(
            type=type_,
            status="Unknown" if unknown and type_ == model.CONNECTED else status,
            reason=state.reason.value,
            message=state.message,
            observed_generation=generation,
        )

    return condition(model.CONNECTED), condition(model.READY)


def stream(feed: Feed, worker: str) -> Stream:
    """The `status.stream` of a camera."""
    state, size = feed.state, feed.size
    return Stream(
        worker=worker,
        epoch=feed.epoch,
        codec=feed.codec.name if feed.codec else None,
        width=size[0] if size else None,
        height=size[1] if size else None,
        connected_time=rfc3339(state.since) if state.connected else None,
        sessions=feed.sessions,
    )


Transition = tuple[object, ...]


def _transition(said: tuple[Stream, tuple[Condition, ...]]) -> Transition:
    """What must differ for a report to be worth writing: a retry that fails alike is none."""
    now, told = said
    facts = (now.epoch, now.codec, now.width, now.height, now.connected_time)
    return facts, *((one.status, one.reason, one.message, one.observed_generation) for one in told)


class Reporter:
    """Owner of what waits to be reported and of what was: at most one entry a camera each."""

    def __init__(
        self,
        registry: WorkerRegistry,
        worker: str,
        captured: Callable[[], Mapping[str, tuple[Camera, Feed]]],
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._registry = registry
        self._worker = worker
        self._captured = captured
        self._draw = draw
        self._pending: dict[str, None] = {}  # a set that keeps its order
        self._told: dict[str, Transition] = {}
        self._wake = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def changed(self, name: str) -> None:
        """Note, from any thread, that a camera must be reported."""
        self._pending[name] = None
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake.set)

    async def run(self) -> Never:
        """Report until cancelled."""
        while True:
            await self._wake.wait()
            await asyncio.sleep(DEBOUNCE_SECONDS * (0.5 + self._draw()))
            self._wake.clear()
            while self._pending:
                name = next(iter(self._pending))
                del self._pending[name]
                try:
                    await self._report(name)
                except RegistryUnavailable:
                    self._pending[name] = None  # behind the others, which may fare better
                    log.warning("report_delayed", cameras=len(self._pending))
                    await asyncio.sleep(RETRY_SECONDS * (0.5 + self._draw()))

    async def _report(self, name: str) -> None:
        captured = self._captured().get(name)
        if captured is None:
            self._told.pop(name, None)
            return
        camera, feed = captured
        now = stream(feed, self._worker), conditions(feed.state, camera.metadata.generation)
        if _transition(now) != self._told.get(name):
            await self._registry.report(camera, *now)
            self._told[name] = _transition(now)
