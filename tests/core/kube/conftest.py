"""A service account on the real API server, and its clients: one near, one behind a proxy."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ingest_core.kube.client import Api
from tests.cluster.api_server import ApiServer
from tests.cluster.proxy import Proxy, proxy
from tests.fakes.real_api import Account
from tests.fakes.real_api import account as make_account


@pytest.fixture(autouse=True)
def _no_authorities_of_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test trusts them, and each client of plain HTTP would read them for 30 ms."""
    monkeypatch.setenv("SSL_CERT_FILE", os.devnull)


@pytest.fixture
def account(api_server: ApiServer, namespace: str) -> Account:
    return make_account(api_server, namespace)


@pytest.fixture
async def near(account: Account, tmp_path: Path) -> AsyncIterator[Api]:
    """Speaks to the API server itself."""
    async with account.api(tmp_path) as api:
        yield api


@pytest.fixture
async def wire(api_server: ApiServer) -> AsyncIterator[Proxy]:
    async with proxy(api_server.url) as made:
        yield made


@pytest.fixture
async def far(account: Account, wire: Proxy, tmp_path: Path) -> AsyncIterator[Api]:
    """Speaks through the proxy."""
    async with account.api(tmp_path, wire.url) as api:
        yield api
