"""What the operator may do covers what it grants, and names no wildcard."""

from collections.abc import Iterable

import pytest

from ingest_core.kube.rules import Rule
from ingest_operator.permissions import GRANTED, RULES, WORKER_RULES
from ingest_operator.sweep import RESOURCES


def allowed(rules: Iterable[Rule]) -> set[tuple[str, str, str]]:
    """Every group, resource and verb that rules without names allow."""
    return {
        (group, resource, verb)
        for rule in rules
        for group in rule.api_groups
        for resource in rule.resources
        for verb in rule.verbs
    }


def test_who_grants_must_hold_what_it_grants() -> None:
    """Otherwise the API server refuses the Roles of every pool: RBAC's escalation check."""
    assert allowed(WORKER_RULES) <= allowed((*RULES, *GRANTED))
    assert ("", "secrets", "get") in allowed(GRANTED)


def test_secrets_are_read_by_nobody_but_by_name() -> None:
    assert not any(resource == "secrets" for _, resource, _ in allowed((*RULES, *WORKER_RULES)))


@pytest.mark.parametrize("rules", [RULES, WORKER_RULES, GRANTED])
def test_nothing_is_allowed_by_a_wildcard(rules: tuple[Rule, ...]) -> None:
    assert not any("*" in entry for one in allowed(rules) for entry in one)


def test_whatever_is_watched_can_be_listed() -> None:
    for resource in RESOURCES.values():
        for verb in ("list", "watch"):
            assert (resource.group, resource.plural, verb) in allowed(RULES)
