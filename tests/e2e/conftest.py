"""A cluster for all tests of a process, and one release in it that no test may harm."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from tests.cluster.command_line import CommandLine
from tests.cluster.go_commands import Unavailable
from tests.cluster.nodes.cluster import Cluster
from tests.e2e import site as sites
from tests.e2e import tenant
from tests.e2e.site import Site

ALONE: Final = ("test_lifecycle.py", "test_guides.py")


class ByCluster(LoadScopeScheduling):  # type: ignore[misc]  # it ships no types
    """Two groups, each on a cluster of its own: what takes the CRDs away again, and the rest."""

    def _split_scope(self, nodeid: str) -> str:
        return "alone" if Path(nodeid.partition("::")[0]).name in ALONE else "together"


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByCluster:
    """For the tests of this folder side by side (tools/run_tests.py).

    Marks for loadgroup do nothing: xdist 3.8 writes them into a name that pytest 9.2 does not use.
    """
    return ByCluster(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """First what takes the CRDs away again: on one cluster for all, nobody else needs them yet."""
    order = {name: place for place, name in enumerate(ALONE)}
    items.sort(key=lambda item: order.get(item.path.name, len(order)))


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    try:
        with sites.site() as found:
            yield found
    except Unavailable as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def nodes(site: Site) -> Cluster:
    """The nodes of our own cluster, for tests that break them."""
    if site.nodes is None:
        pytest.skip("only nodes of our own are broken")
    return site.nodes


@pytest.fixture(scope="session")
def cameras(site: Site) -> Iterator[CommandLine]:
    """The namespace of a release with the simulated cameras of the guide; not to be harmed."""
    installation = site.installation("cameras")
    installation.make_namespace()
    installation.install()
    installation.add_cameras()
    yield installation.by
    if site.nodes is None:  # ours goes as a whole
        site.admin.kubectl("delete", "namespace", "cameras")


@pytest.fixture(scope="session")
def other(site: Site) -> Iterator[CommandLine]:
    """The namespace of a second release (tests/e2e/tenant.py); not to be harmed for long."""
    yield tenant.install(site)
    if site.nodes is None:
        site.admin.kubectl("delete", "namespace", tenant.NAMESPACE)
