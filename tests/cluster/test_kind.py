"""kind itself reads kind-config.yaml, and says to Docker what docs/guide/kind.md promises.

Docker is a stand-in that writes down what it is asked, and whose nodes never start.
"""

import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.cluster.binaries import VERSION, Unavailable
from tests.cluster.go_commands import GoCommand
from tests.cluster.guide import ROOT, commands

KIND: Final = GoCommand("kind", "v0.30.0", folder="kind", package="sigs.k8s.io/kind")
TYPED: Final = tuple(command.text for command in commands("docs/guide/kind.md"))
CONFIG: Final = ROOT / "kind-config.yaml"

DOCKER: Final = """#!/bin/sh
echo "$*" >> "${0%/*}/asked"
case "$1" in
-v) echo "Docker version 28.2.2" ;;
info) echo '{"CgroupVersion": "2", "MemoryLimit": true, "PidsLimit": true, "CPUShares": true}' ;;
network) echo kind ;;
logs) echo "Reached target Multi-User System." ;;
esac
"""


@dataclass(frozen=True, slots=True)
class Laptop:
    """A machine with kind and Docker, and nothing else."""

    home: Path

    def type(self, command: str, *, where: Path = ROOT) -> str:
        """Run a command; what it says. kind never gets far: no node is ever there to look into."""
        environment = {"PATH": str(self.home), "HOME": str(self.home)}
        done = subprocess.run(
            ["/bin/sh", "-c", command],
            cwd=where,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=60,
        )
        return done.stdout

    def create(self, config: Mapping[str, Any]) -> str:
        """Make a cluster of a config of one's own; what kind says."""
        (self.home / "config.yaml").write_text(yaml.safe_dump(config))
        return self.type("kind create cluster --config config.yaml", where=self.home)

    def nodes(self) -> dict[str, tuple[str, ...]]:
        """Containers that Docker was to run, by name, with what each was given."""
        asked = [line.split() for line in (self.home / "asked").read_text().splitlines()]
        return {words[2]: tuple(words) for words in asked if words[:2] == ["run", "--name"]}


@pytest.fixture
def laptop(tmp_path: Path) -> Laptop:
    try:
        shutil.copy(KIND.built(), tmp_path)
    except Unavailable as error:
        pytest.skip(str(error))
    docker = tmp_path / "docker"
    docker.write_text(DOCKER)
    docker.chmod(0o755)
    return Laptop(tmp_path)


@pytest.fixture
def config() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(CONFIG.read_text())
    return loaded


def published(words: tuple[str, ...]) -> set[str]:
    return {word.removeprefix("--publish=") for word in words if word.startswith("--publish=")}


def test_the_guides_command_makes_three_nodes_and_opens_the_ingress_to_this_machine_only(
    laptop: Laptop,
) -> None:
    (create,) = (one for one in TYPED if one.startswith("kind create cluster"))
    said = laptop.type(create)
    nodes = laptop.nodes()
    names = ("control-plane", "worker", "worker2")
    assert nodes.keys() == {f"camera-ingest-{name}" for name in names}, said
    assert published(nodes["camera-ingest-worker"]) == {
        "127.0.0.1:80:80/TCP",
        "127.0.0.1:443:443/TCP",
    }
    assert published(nodes["camera-ingest-worker2"]) == set()
    (api,) = published(nodes["camera-ingest-control-plane"])
    assert api.startswith("127.0.0.1:")
    assert api.endswith(":6443/TCP")


def test_the_nodes_are_of_the_kubernetes_that_is_tested_by_the_image_that_kind_itself_chooses(
    laptop: Laptop, config: dict[str, Any]
) -> None:
    pinned = {node["image"] for node in config["nodes"]}
    laptop.type("kind create cluster")
    assert pinned == {laptop.nodes()["kind-control-plane"][-1]}
    (image,) = pinned
    minor = VERSION.rpartition(".")[0]
    assert image.startswith(f"kindest/node:{minor}.")


def test_the_guides_other_commands_of_kind_name_this_cluster(config: dict[str, Any]) -> None:
    others = [one for one in TYPED if one.startswith(("kind load", "kind delete"))]
    assert {one.partition("--name ")[2] for one in others} == {config["name"]}


def test_kind_removes_the_cluster_as_the_guide_says(laptop: Laptop) -> None:
    (delete,) = (one for one in TYPED if one.startswith("kind delete"))
    assert 'Deleting cluster "camera-ingest"' in laptop.type(delete)


def test_kind_refuses_a_field_that_is_misspelt(laptop: Laptop, config: dict[str, Any]) -> None:
    config["nodes"][1]["extraPortMapping"] = config["nodes"][1].pop("extraPortMappings")
    assert "field extraPortMapping not found" in laptop.create(config)


def test_kind_refuses_a_port_that_is_none(laptop: Laptop, config: dict[str, Any]) -> None:
    config["nodes"][1]["extraPortMappings"][0]["hostPort"] = 80443
    assert "invalid port number: 80443" in laptop.create(config)
    assert laptop.nodes() == {}
