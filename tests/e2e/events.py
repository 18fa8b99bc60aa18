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

_SECONDS: Final = 60.0


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


def published(client: redis.Redis, cameras: AbstractSet[str]) -> tuple[bytes, ...]:
    """All that is kept, and what is published until each of the cameras was heard of."""
    stream: Any = client.xrange(REDIS_STREAM)  # its types are those of all clients at once
    events = [values[b"event"] for _, values in stream]
    missing = set(cameras)
    deadline = time.monotonic() + _SECONDS
    subscribe: Any = client.pubsub
    with subscribe(ignore_subscribe_messages=True) as subscriber:
        subscriber.psubscribe("*")
        while missing:
            assert time.monotonic() < deadline, f"nothing of {missing}"
            if message := subscriber.get_message(timeout=1.0):
                events.append(message["data"])
                missing.discard(_decoded(message["data"]).subject)
    return tuple(events)


def heard(client: redis.Redis, cameras: AbstractSet[str]) -> tuple[Event, ...]:
    """The same, decoded."""
    return tuple(map(_decoded, published(client, cameras)))


def _decoded(event: bytes) -> Event:
    return msgspec.json.decode(event, type=Event)
