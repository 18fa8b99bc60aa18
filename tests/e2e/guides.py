"""Where this suite types what documents say: a checkout, and a person's kubectl and helm."""

import re
from pathlib import Path
from typing import Final

from tests.cluster.binaries import HELM, KUBECTL
from tests.cluster.shell import Shell, checkout
from tests.e2e.site import Site

CONNECTED: Final = r"^{} .* True +Connected "


def shell(site: Site, home: Path) -> Shell:
    """A shell of whoever may do everything, with a home of its own."""
    environment = {**site.admin.environment, "HOME": str(home)}
    environment["PATH"] = f"{KUBECTL.parent}:{HELM.built().parent}:{environment['PATH']}"
    return Shell(checkout(home / "checkout"), environment)


def shown_connected(table: str, camera: str) -> bool:
    """Whether `kubectl get cameras` shows a camera as connected."""
    return re.search(CONNECTED.format(camera), table, re.MULTILINE) is not None
