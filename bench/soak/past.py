"""The stream of events as days leave it.

An hour fills some of it only; a Redis that holds more at the end of a soak than at its beginning
would hold a past that it may keep, and say nothing of a leak.
"""

from typing import Final

import redis

from ingest_core.names import REDIS_STREAM
from ingest_worker.delivery import Retention

_BATCH: Final = 1000
_SECONDS: Final = 30.0  # for an answer


def fill(host: str, port: int = 6379) -> None:
    """Add the stream's newest entry again, until there are as many as the workers keep.

    Raises:
        redis.RedisError: It cannot be asked.
        ValueError: There is no entry.
    """
    length = Retention().stream_length
    with redis.Redis(host, port, socket_timeout=_SECONDS) as client:
        ((_, newest),) = client.xrevrange(REDIS_STREAM, count=1)
        for _ in range(0, length, _BATCH):
            batch = client.pipeline(transaction=False)
            for _ in range(_BATCH):
                batch.xadd(REDIS_STREAM, newest, maxlen=length, approximate=True)
            batch.execute()
