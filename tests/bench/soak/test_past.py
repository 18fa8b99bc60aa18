"""A stream that is filled is full of what is there, and fills no further."""

from pathlib import Path

import redis

from bench.soak import past
from ingest_core.names import REDIS_STREAM
from ingest_worker.delivery import Retention
from tests.fakes.redis_server import HOST, running


def test_a_stream_is_filled_with_its_newest_entry_to_what_workers_keep(tmp_path: Path) -> None:
    with running(tmp_path) as server, redis.Redis(HOST, server.port) as client:
        client.xadd(REDIS_STREAM, {"event": "before"})
        client.xadd(REDIS_STREAM, {"event": "newest"})
        for _ in range(2):
            past.fill(HOST, server.port)
            length = client.xlen(REDIS_STREAM)
            assert Retention().stream_length <= length < 1.01 * Retention().stream_length
        entries = client.xrevrange(REDIS_STREAM, count=length)
        assert {told[b"event"] for _, told in entries} == {b"newest"}
