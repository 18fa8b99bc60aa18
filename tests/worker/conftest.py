"""A simulator in the test's own loop."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from ingest_simulator.simulator import Simulator


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    """Its clips are cached between runs."""
    async with asyncio.timeout(60), Simulator() as simulator:
        yield simulator
