"""An installation by the admin of a namespace, who has no rights beyond it, as the guide has it."""

import json
import shlex
from collections.abc import Iterator
from contextlib import closing
from typing import Final

import pytest

from tests.cluster import guide
from tests.cluster.client import Refused
from tests.cluster.command_line import CommandLine
from tests.e2e import people, states, tenant
from tests.e2e.door import door
from tests.e2e.site import Site, forwarded

PAGE: Final = "docs/guide/helm.md"
SECTION: Final = "Without rights in the cluster"
ROLES: Final = guide.ROOT / "docs" / "guide" / "cluster-roles.yaml"
NAMESPACE: Final = "tenant"  # where the guide says `cameras`

BEYOND: Final = (
    "apiextensions.k8s.io/v1/customresourcedefinitions",
    "rbac.authorization.k8s.io/v1/clusterroles",
    "rbac.authorization.k8s.io/v1/clusterrolebindings",
    "admissionregistration.k8s.io/v1/validatingadmissionpolicies",
    "scheduling.k8s.io/v1/priorityclasses",
)


@pytest.fixture(scope="module")
def jane(site: Site) -> Iterator[CommandLine]:
    """Who has Kubernetes' own ClusterRole `admin` in a namespace, and nothing beyond."""
    by = site.within(NAMESPACE)
    by.kubectl("create", "namespace", NAMESPACE)
    by.kubectl("label", "namespace", NAMESPACE, "pod-security.kubernetes.io/enforce=restricted")
    by.kubectl("create", "serviceaccount", "jane")
    account = f"--serviceaccount={NAMESPACE}:jane"
    by.kubectl("create", "rolebinding", "jane", "--clusterrole=admin", account)
    yield people.signed_in(by, "jane")
    site.admin.kubectl("delete", "namespace", NAMESPACE, "--wait=false")


@pytest.fixture(scope="module")
def install(site: Site) -> Iterator[str]:
    """What the admin of a namespace types, once what is for the cluster has been typed."""
    typed = [one.text for one in guide.commands(PAGE, SECTION)]
    assert len(typed) == 2, f"one for the cluster, and one for a namespace, and not {typed}"
    _type(site.admin, typed[0])
    yield typed[1]
    if site.nodes is None:
        site.admin.kubectl("delete", f"--filename={ROLES}")


def test_the_admin_of_a_namespace_has_no_rights_in_the_cluster(jane: CommandLine) -> None:
    with closing(people.client(jane, "jane")) as client:
        for beyond in BEYOND:
            with pytest.raises(Refused, match="403 Forbidden"):
                client.get(f"/apis/{beyond}")
            with pytest.raises(Refused, match="403 Forbidden"):
                client.post(f"/apis/{beyond}", {"metadata": {"name": "mine"}}, dryRun="All")


def test_the_admin_of_a_namespace_installs_uses_and_removes_a_release(
    site: Site, jane: CommandLine, cameras: CommandLine, install: str
) -> None:
    before = states.holds(cameras, "lobby", "yard")
    values = {**site.image, "pool": {"spec": tenant.WORKERS}}  # for which small nodes have room
    options = [f"--set-json={key}={json.dumps(value)}" for key, value in values.items()]
    _type(jane, install, *options)
    tenant.apply(jane, *tenant.simulator(), tenant.camera("lobby", "cam1"))
    tenant.await_ready(jane, "lobby")

    with forwarded(jane, f"service/{tenant.GATEWAY}", 80) as place:
        answer = door(f"http://{place}").ask("/api/cameras/lobby/frame/latest")
    assert (answer.status, answer.data[:2]) == (200, b"\xff\xd8")
    assert "Phase:          Succeeded" in jane.helm("test", "cameras")
    jane.helm("uninstall", "cameras", "--wait")
    jane.kubectl("delete", "camera", "lobby")
    left = jane.kubectl("get", "deployments,camerapools,roles", "--output=name").split()
    assert left == ["deployment.apps/simulator"]
    assert states.holds(cameras, "lobby", "yard") == before


def _type(by: CommandLine, line: str, *more: str) -> None:
    """A line of the guide, in the namespace that somebody types in instead of the guide's."""
    program, *words = shlex.split(line)
    if words[0] == "-n":
        del words[:2]
    {"kubectl": by.kubectl, "helm": by.helm}[program](*words, *more)
