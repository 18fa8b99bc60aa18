"""A namespace of a real API server, for operators that run as processes."""

from collections.abc import AsyncIterator

import pytest

from tests.cluster.api_server import ApiServer
from tests.fakes.operated import Operated, operated


@pytest.fixture
async def here(api_server: ApiServer, namespace: str) -> AsyncIterator[Operated]:
    async with operated(api_server, namespace) as made:
        yield made
