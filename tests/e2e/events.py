"""What a subscriber of an installation's Redis hears."""

import time
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from typing import Any, Final

import msgspec
import redis

from ingest_core.names import REDIS_STREAM
from tests.cluster.command_line import CommandLine
from tests.e2e.site import forwarded

_SECONDS: Final = 120.0  # the simulated scene, and with it motion, begins anew after 20


class Event(msgspec.Struct, frozen=True):
    """What any event says.

    Attributes:
        source: The worker, and which start of it.
        subject: The camera's id.
    """

    source: str
    type: str
    subject: str
    data: dict[str, Any]

    @property
    def worker(self) -> str:
        return self.source.split("/")[1]


@contextmanager
def connected(by: CommandLine, target: str, password: str | None = None) -> Iterator[redis.Redis]:
    """A client of the Redis in a pod, `deployment/redis`."""
    with forwarded(by, target, 6379) as place:
        host, _, port = place.partition(":")
        with redis.Redis(host=host, port=int(port), password=password) as client:
            yield client


@contextmanager
def subscribed(client: redis.Redis) -> Iterator[Iterator[bytes]]:
    """Whatever is published from now on, on every channel, for two minutes."""
    subscribe: Any = client.pubsub
    with subscribe() as subscriber:
        subscriber.psubscribe("*")
        assert subscriber.get_message(timeout=_SECONDS)["type"] == "psubscribe"
        yield _messages(subscriber)


def published(client: redis.Redis, cameras: AbstractSet[str]) -> tuple[bytes, ...]:
    """All that is kept, and what is published until each of the cameras was heard of."""
    stream: Any = client.xrange(REDIS_STREAM)  # its types are those of all clients at once
    events = [values[b"event"] for _, values in stream]
    missing = set(cameras)
    with subscribed(client) as more:
        while missing:
            event = next(more, None)
            assert event is not None, f"nothing of {missing}"
            events.append(event)
            missing.discard(decoded(event).subject)
    return tuple(events)


def heard(client: redis.Redis, cameras: AbstractSet[str]) -> tuple[Event, ...]:
    """The same, decoded."""
    return tuple(map(decoded, published(client, cameras)))


def decoded(event: bytes) -> Event:
    return msgspec.json.decode(event, type=Event)


def _messages(subscriber: Any) -> Iterator[bytes]:
    deadline = time.monotonic() + _SECONDS
    while time.monotonic() < deadline:
        if message := subscriber.get_message(timeout=1.0):
            yield message["data"]
