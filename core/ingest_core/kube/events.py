"""Tell people what happened, as Kubernetes Events: `kubectl describe` and `kubectl get events`.

The same thing told again within ten minutes is one Event with a count. Bounded: what comes faster
than it can be told is dropped and counted, and nothing waits for it.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final, Literal, Never
from uuid import uuid4

import structlog

from ingest_core.errors import ApiNotFound, ApiRefused, ApiUnavailable
from ingest_core.kube.client import Api
from ingest_core.kube.resources import EVENTS, Resource
from ingest_core.model import Metadata

WAITING: Final = 256  # facts that wait to be told
REMEMBERED: Final = 1024  # Events that may be counted on
SAME_SECONDS: Final = 600.0
_MESSAGE: Final = 1024  # characters that the API server takes
_PAUSE_SECONDS: Final = 2.0

log: structlog.stdlib.BoundLogger = structlog.get_logger()

EventType = Literal["Normal", "Warning"]


@dataclass(frozen=True, slots=True)
class Fact:
    """What happened to which object; of the same kind, object and reason it is the same Event."""

    resource: Resource
    name: str
    uid: str
    type: EventType
    reason: str
    message: str

    @property
    def key(self) -> tuple[str, str, str]:
        return self.resource.kind, self.uid or self.name, self.reason


@dataclass(frozen=True, slots=True)
class _Told:
    event: str
    count: int
    at: float
    message: str


class Recorder:
    """Owner of the queue. `drop` is called for each fact that is not told.

    Args:
        api: The server, and the namespace.
        component: Who tells: `camera-ingest-operator`.
        instance: Which one of them.
        drop: Counts.
        now: Monotonic seconds.
    """

    def __init__(
        self,
        api: Api,
        component: str,
        instance: str,
        *,
        drop: Callable[[], None],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._api = api
        self._component = component
        self._instance = instance
        self._drop = drop
        self._now = now
        self._queue: asyncio.Queue[Fact] = asyncio.Queue(WAITING)
        self._told: OrderedDict[tuple[str, str, str], _Told] = OrderedDict()

    def tell(
        self, resource: Resource, metadata: Metadata, type_: EventType, reason: str, message: str
    ) -> None:
        """Queue a fact about an object."""
        fact = Fact(resource, metadata.name, metadata.uid, type_, reason, message[:_MESSAGE])
        try:
            self._queue.put_nowait(fact)
        except asyncio.QueueFull:
            self._drop()

    async def run(self) -> Never:
        """Tell until cancelled."""
        while True:
            fact = await self._queue.get()
            try:
                await self._write(fact)
            except (ApiUnavailable, ApiRefused) as error:
                self._drop()
                log.info("event_not_told", reason=fact.reason, error=str(error))
                await asyncio.sleep(_PAUSE_SECONDS)

    async def _write(self, fact: Fact) -> None:
        now = self._now()
        told = self._told.get(fact.key)
        if told is not None and now - told.at < SAME_SECONDS:
            again = replace(told, count=told.count + 1, at=now, message=fact.message)
            body = {"count": again.count, "lastTimestamp": _time(), "message": fact.message}
            try:
                await self._api.merge(EVENTS, told.event, body, manager=self._component)
            except ApiNotFound:  # it was swept away, as Events are
                again = await self._create(fact, now)
        else:
            again = await self._create(fact, now)
        self._told[fact.key] = again
        self._told.move_to_end(fact.key)
        if len(self._told) > REMEMBERED:
            self._told.popitem(last=False)

    async def _create(self, fact: Fact, now: float) -> _Told:
        name = f"{fact.name[:200].rstrip('-.')}.{uuid4().hex[:16]}"
        stamp = _time()
        body: dict[str, Any] = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": name},
            "involvedObject": {
                "apiVersion": fact.resource.api_version,
                "kind": fact.resource.kind,
                "namespace": self._api.namespace,
                "name": fact.name,
                "uid": fact.uid,
            },
            "type": fact.type,
            "reason": fact.reason,
            "message": fact.message,
            "count": 1,
            "firstTimestamp": stamp,
            "lastTimestamp": stamp,
            "source": {"component": self._component, "host": self._instance},
            "reportingComponent": self._component,
            "reportingInstance": self._instance,
        }
        body["metadata"]["namespace"] = self._api.namespace
        await self._api.create(EVENTS, body, manager=self._component)
        return _Told(name, 1, now, fact.message)


def _time() -> str:
    """A metav1.Time."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
