"""One cluster for the whole suite, and one release in it that no test may harm."""

from collections.abc import Iterator

import pytest

from tests.cluster.command_line import CommandLine
from tests.cluster.go_commands import Unavailable
from tests.cluster.nodes.cluster import Cluster
from tests.e2e import site as sites
from tests.e2e import tenant
from tests.e2e.site import Site
from tests.image import builder


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """First what takes the CRDs away again, while nobody else needs them; in this order."""
    first = ["test_lifecycle.py", "test_guides.py"]
    order = {name: place for place, name in enumerate(first)}
    items.sort(key=lambda item: order.get(item.path.name, len(first)))


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    try:
        with sites.site() as found:
            yield found
    except (Unavailable, builder.Unavailable) as error:
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
