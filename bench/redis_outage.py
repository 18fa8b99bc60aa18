"""Redis killed, stopped and full for a minute each, under cameras that are captured.

Run: `PYTHONPATH=. .venv/bin/python bench/redis_outage.py [SECONDS]` (3.5 min); needs redis-server.
"""

import asyncio
import sys
import tempfile
from pathlib import Path

import psutil

from tests.fakes.redis_outage import BOUND, Outage, suffer
from tests.fakes.redis_server import running


def main(seconds: float) -> None:
    process = psutil.Process()
    for kind in Outage:
        before = process.memory_info().rss
        with tempfile.TemporaryDirectory() as home, running(Path(home)) as server:
            outcome = asyncio.run(suffer(kind, seconds, server))
        grown = (process.memory_info().rss - before) / 2**20
        print(
            f"{kind.value:8} {seconds:g} s: {outcome.taken} of {outcome.sent} frames captured, "
            f"{outcome.queue} events waited at most, {outcome.dropped:g} dropped and counted, "
            f"publishing after {outcome.resumed:.2f} s, memory {grown:+.1f} MiB"
        )
        assert outcome.taken == outcome.sent
        assert outcome.queue <= 2 * BOUND
        assert outcome.resumed < 5


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 60)
