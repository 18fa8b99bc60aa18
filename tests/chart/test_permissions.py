"""The chart grants what the programs declare, and nothing else."""

import pytest

from ingest_standalone.rbac import PROGRAMS
from tests.chart.rendering import NAMESPACE, Chart, of_kind

CLUSTER_KINDS = {
    "ClusterRole",
    "ClusterRoleBinding",
    "CustomResourceDefinition",
    "PriorityClass",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
}


@pytest.mark.parametrize("program", sorted(PROGRAMS))
def test_a_role_allows_exactly_what_its_program_declares(chart: Chart, program: str) -> None:
    objects = chart.render({})
    granted = {
        (group, resource, verb)
        for rule in of_kind(objects, "Role")[program]["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    declared = {
        (group, resource, verb)
        for rule in PROGRAMS[program]
        for group in rule.api_groups
        for resource in rule.resources
        for verb in rule.verbs
    }
    assert granted == declared


@pytest.mark.parametrize("program", sorted(PROGRAMS))
@pytest.mark.parametrize("name", ["", "mine"])
def test_a_programs_pods_run_as_the_account_that_its_role_is_bound_to(
    chart: Chart, program: str, name: str
) -> None:
    objects = chart.render({program: {"serviceAccount": {"create": not name, "name": name}}})
    pod = of_kind(objects, "Deployment")[program]["spec"]["template"]["spec"]
    binding = of_kind(objects, "RoleBinding")[program]
    (subject,) = binding["subjects"]
    account = pod["serviceAccountName"]
    assert subject == {"kind": "ServiceAccount", "name": account, "namespace": NAMESPACE}
    assert binding["roleRef"]["name"] == of_kind(objects, "Role")[program]["metadata"]["name"]
    made = of_kind(objects, "ServiceAccount").get(program)
    assert (made is None) == bool(name)
    assert account == (name if made is None else made["metadata"]["name"])


def test_an_installation_needs_rights_in_its_namespace_only_once_the_crds_are_there(
    chart: Chart,
) -> None:
    objects = chart.render({"crds": {"install": False}}, "--include-crds", "--is-upgrade")
    assert {one["kind"] for one in objects} & CLUSTER_KINDS == set()
    assert {one["metadata"].get("namespace") for one in objects} == {NAMESPACE}


def test_without_rbac_there_are_no_roles(chart: Chart) -> None:
    kinds = {one["kind"] for one in chart.render({"rbac": {"create": False}})}
    assert kinds & {"Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"} == set()
