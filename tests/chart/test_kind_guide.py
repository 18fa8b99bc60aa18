"""What docs/guide/kind.md tells a person to type fits together, and what it takes from Contour.

It is typed in tests/e2e/test_guides.py.
"""

import re
from pathlib import Path
from typing import Final

import pytest
import yaml

from tests.cluster.binaries import Unavailable
from tests.cluster.go_modules import downloaded
from tests.cluster.guide import ROOT, commands

TYPED: Final = tuple(command.text for command in commands("docs/guide/kind.md"))
CONTOUR: Final = re.compile(
    r"https://raw\.githubusercontent\.com/(?P<path>projectcontour/contour)/(?P<version>v[\d.]+)/"
    r"(?P<file>\S+)"
)


@pytest.fixture(scope="module")
def contour() -> Path:
    """What the guide takes from GitHub: the same file of the same version as Go has it."""
    (found,) = filter(None, map(CONTOUR.search, TYPED))
    try:
        folder = downloaded(f"github.com/{found['path']}@{found['version']}")
    except Unavailable as error:
        pytest.skip(str(error))
    return folder / found["file"]


def test_an_upgrade_takes_an_image_that_was_tagged_and_loaded_before() -> None:
    (upgrade,) = (one for one in TYPED if " upgrade " in one)
    first, second = loaded(TYPED)
    assert f"docker tag {first} {second}" in TYPED
    assert f"--set image.tag={second.partition(':')[2]}" in upgrade


def test_contours_envoy_opens_the_ports_that_the_config_publishes_on_every_worker(
    contour: Path,
) -> None:
    documents = yaml.safe_load_all(contour.read_text())
    (envoy,) = (one["spec"]["template"]["spec"] for one in documents if one["kind"] == "DaemonSet")
    assert "nodeSelector" not in envoy
    opened = {
        port["hostPort"]
        for container in envoy["containers"]
        for port in container.get("ports", ())
        if "hostPort" in port
    }
    config = yaml.safe_load((ROOT / "kind-config.yaml").read_text())
    (node,) = (one for one in config["nodes"] if "extraPortMappings" in one)
    assert node["role"] == "worker"
    assert (
        {mapping["containerPort"] for mapping in node["extraPortMappings"]} == opened == {80, 443}
    )


def loaded(typed: tuple[str, ...]) -> list[str]:
    """Images that are brought to the nodes, in order."""
    return [one.split()[3] for one in typed if one.startswith("kind load docker-image")]
