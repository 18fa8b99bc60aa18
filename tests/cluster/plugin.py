"""Fixtures of a real API server: one for the session, a namespace for each test.

Where the programs cannot be had, the tests that ask for them are skipped, with the reason.
"""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cluster import binaries
from tests.cluster.api_server import ApiServer
from tests.cluster.client import Client
from tests.cluster.crds import install_crds
from tests.cluster.namespaces import temporary_namespace
from tests.cluster.typist import MARK

CRDS = Path(__file__).resolve().parents[2] / "crds"

Kubectl = Callable[..., "subprocess.CompletedProcess[str]"]


def pytest_configure(config: pytest.Config) -> None:
    told = "what of which document a test types (tests/cluster/typist.py)"
    config.addinivalue_line("markers", f"{MARK}(page, *sections): {told}")


@contextmanager
def bare_api_server(*options: str) -> Iterator[ApiServer]:
    """An API server without CRDs, until the block ends; skips the test where there is none."""
    try:
        found = binaries.available()
    except binaries.Unavailable as error:
        pytest.skip(str(error))
    server = ApiServer(found, options)
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def _api_server() -> Iterator[ApiServer]:
    with bare_api_server() as server:
        install_crds(server.admin, CRDS)
        yield server


@pytest.fixture
def api_server(_api_server: ApiServer) -> ApiServer:
    """The session's API server with our CRDs, ready, whatever the test before did to it."""
    _api_server.heal()
    return _api_server


@pytest.fixture
def admin(api_server: ApiServer) -> Client:
    """May do everything; speaks raw paths."""
    return api_server.admin


@pytest.fixture
def namespace(api_server: ApiServer) -> Iterator[str]:
    """A namespace that only this test uses."""
    with temporary_namespace(api_server.admin) as name:
        yield name


@pytest.fixture
def kubectl(api_server: ApiServer, namespace: str, tmp_path: Path) -> Kubectl:
    """`kubectl("get", "cameras")` as the admin in the test's namespace; a failure raises.

    Options: `stdin`, text for `-f -`; `check=False` gives failures back.
    """

    def run(
        *arguments: str, stdin: str | None = None, check: bool = True
    ) -> "subprocess.CompletedProcess[str]":
        where = ("--kubeconfig", str(api_server.kubeconfig), "--namespace", namespace)
        done = subprocess.run(
            [binaries.KUBECTL, *where, "--cache-dir", str(tmp_path / "kubectl"), *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert not check or done.returncode == 0, done.stderr
        return done

    return run
