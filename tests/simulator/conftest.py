"""A simulator on a free port, with small cameras that are quick to draw."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ingest_simulator.camera import SimulatedCamera
from ingest_simulator.simulator import Simulator

SMALL = SimulatedCamera(name="cam", width=160, height=96, fps=20, gop=10, clip_seconds=1)
"""20 frames, two groups of pictures."""


@pytest.fixture(scope="session")
def clip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("clips")


@pytest.fixture
async def simulator(clip_folder: Path) -> AsyncIterator[Simulator]:
    async with asyncio.timeout(30), Simulator(cache=clip_folder) as simulator:
        yield simulator


@pytest.fixture
def small() -> SimulatedCamera:
    return SMALL
