"""A registry that is open on an empty directory, and what is logged."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from ingest_standalone.directory import DirectoryRegistry


@pytest.fixture
def logged() -> Iterator[list[Any]]:
    with structlog.testing.capture_logs() as lines:
        yield lines


@pytest.fixture
async def registry(tmp_path: Path) -> AsyncIterator[DirectoryRegistry]:
    async with DirectoryRegistry(tmp_path) as opened:
        yield opened
