"""What docs/guide/kind.md tells a person to type, typed at a new cluster that has no nodes."""

import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.chart.rendering import Chart
from tests.cluster.api_server import ApiServer
from tests.cluster.binaries import KUBECTL, Unavailable
from tests.cluster.go_modules import downloaded
from tests.cluster.guide import ROOT, commands
from tests.cluster.plugin import bare_api_server

PAGE: Final = "kind.md"
ELSEWHERE: Final = (  # what needs Docker, nodes or pods; tests/cluster/test_kind.py runs kind
    "kind ",
    "make image",
    "docker ",
    "curl ",
    "helm -n cameras test",
    "kubectl get nodes",
    "kubectl -n projectcontour rollout",
    "kubectl -n cameras rollout",
    "kubectl -n cameras wait",
    "kubectl -n cameras exec",
    "kubectl -n cameras port-forward",
)
CONTOUR: Final = re.compile(
    r"https://raw\.githubusercontent\.com/(?P<path>projectcontour/contour)/(?P<version>v[\d.]+)/"
    r"(?P<file>\S+)"
)

Type = Callable[[str], str]


@pytest.fixture(scope="module")
def cluster() -> Iterator[ApiServer]:
    """As a new one: without our CRDs."""
    with bare_api_server() as server:
        yield server


@pytest.fixture(scope="module")
def contour() -> tuple[str, Path]:
    """What the guide takes from GitHub, and the same file of the same version as Go has it."""
    (found,) = filter(None, map(CONTOUR.search, commands(PAGE)))
    try:
        folder = downloaded(f"github.com/{found['path']}@{found['version']}")
    except Unavailable as error:
        pytest.skip(str(error))
    return found.group(), folder / found["file"]


@pytest.fixture
def shell(chart: Chart, cluster: ApiServer, tmp_path: Path) -> Type:
    """Types a command of the guide; what it says. A failure raises."""
    (tmp_path / "helm").symlink_to(chart.helm)
    (tmp_path / "kubectl").symlink_to(KUBECTL)
    environment = {
        **os.environ,
        "PATH": str(tmp_path),
        "HOME": str(tmp_path),
        "KUBECONFIG": str(cluster.kubeconfig),
    }

    def run(command: str) -> str:
        done = subprocess.run(
            ["/bin/sh", "-c", command],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout

    return run


def test_from_a_new_cluster_to_cameras_and_back_every_command_is_accepted(
    shell: Type, contour: tuple[str, Path], cluster: ApiServer
) -> None:
    admin = cluster.admin
    cameras = "/apis/camera-ingest.io/v1alpha1/namespaces/cameras/cameras"
    deployments = "/apis/apps/v1/namespaces/cameras/deployments"
    typed = [one for one in commands(PAGE) if not one.startswith(ELSEWHERE)]
    (removal, *_) = (at for at, one in enumerate(typed) if " delete " in one)
    url, file = contour
    for command in typed[:removal]:
        # An upgrade waits for a Job, for which there is no node.
        judged = " --dry-run=server" if " upgrade " in command else ""
        shell(command.replace(url, str(file)) + judged)
    assert names(admin.get(cameras)) == {"lobby", "yard", "door"}
    (ingress,) = admin.get("/apis/networking.k8s.io/v1/namespaces/cameras/ingresses")["items"]
    assert [rule["host"] for rule in ingress["spec"]["rules"]] == ["localhost"]
    assert "ingressClassName" not in ingress["spec"]  # so it is Contour's, which asks for none
    images = {
        container["image"]
        for deployment in admin.get(deployments)["items"]
        for container in deployment["spec"]["template"]["spec"]["containers"]
    }
    redis = {image for image in images if "redis" in image}
    assert images - redis == {loaded(commands(PAGE))[0]}
    for command in typed[removal:]:
        shell(command)
    assert names(admin.get(cameras)) == set()
    assert names(admin.get(deployments)) == set()


def test_an_upgrade_takes_an_image_that_was_tagged_and_loaded_before() -> None:
    (upgrade,) = (one for one in commands(PAGE) if " upgrade " in one)
    first, second = loaded(commands(PAGE))
    assert f"docker tag {first} {second}" in commands(PAGE)
    assert f"--set image.tag={second.partition(':')[2]}" in upgrade


def test_contours_envoy_opens_the_ports_that_the_config_publishes_on_every_worker(
    contour: tuple[str, Path],
) -> None:
    documents = yaml.safe_load_all(contour[1].read_text())
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


def names(answer: Any) -> set[str]:
    return {one["metadata"]["name"] for one in answer["items"]}
