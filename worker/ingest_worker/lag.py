"""Measure how late the event loop wakes: what every camera of the process has to suffer."""

import asyncio
from typing import Final, Never

from prometheus_client import Histogram

PERIOD_SECONDS: Final = 0.1


async def watch(histogram: Histogram) -> Never:
    """Observe the loop's lag in seconds, until cancelled."""
    now = asyncio.get_running_loop().time
    while True:
        due = now() + PERIOD_SECONDS
        await asyncio.sleep(PERIOD_SECONDS)
        histogram.observe(max(0.0, now() - due))
