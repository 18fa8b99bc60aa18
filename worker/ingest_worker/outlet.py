"""Where a program's events go: to a Redis, or nowhere."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from prometheus_client import CollectorRegistry

from ingest_core.events import Event
from ingest_core.http import Listen
from ingest_worker.publish import publisher
from ingest_worker.publisher import Publisher
from ingest_worker.redis_url import NO_REDIS, parse

_DRAIN_SECONDS: Final = 2.0


def outlet(redis_url: str, exposition: CollectorRegistry) -> Publisher | None:
    """The publisher for a URL; None for `NO_REDIS`.

    Raises:
        InvalidRedisUrl: Which rule the URL breaks; quotes nothing of it.
    """
    if redis_url == NO_REDIS:
        return None
    return publisher(redis_url, registry=exposition, server=_server(redis_url))


@asynccontextmanager
async def publishing(
    events: Publisher | None, tasks: asyncio.TaskGroup
) -> AsyncIterator[Callable[[Event], None]]:
    """Publish what is offered until the block ends; what waits then, for 2 s at most."""
    if events is None:
        yield _nowhere
        return
    running = tasks.create_task(events.run(), name="publisher")
    try:
        yield events.offer
    finally:
        await events.drain(_DRAIN_SECONDS)
        running.cancel()


def _server(url: str) -> str:
    """Which Redis a URL names, without the login. Raises InvalidRedisUrl."""
    target = parse(url)
    hosts = ",".join(str(Listen(host, port)) for host, port in target.addresses)
    service = f"/{target.service}" if target.service else ""
    return target.path or f"{hosts}{service}/{target.database}"


def _nowhere(_: Event) -> None:
    """Take an event that nobody wants."""
