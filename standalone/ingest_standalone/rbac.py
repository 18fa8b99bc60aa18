"""Print what a cluster must allow: the operator's and the gateway's accounts, and their Roles.

Made from the rules that each program declares beside its code. A worker's Role is not here: the
operator makes it, for each pool, with the very Secrets that its cameras name.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec
import yaml

from ingest_core import names
from ingest_core.kube.resources import ROLE_BINDINGS, ROLES, SERVICE_ACCOUNTS, Resource
from ingest_core.kube.rules import Rule
from ingest_gateway import permissions as gateway
from ingest_operator import permissions as operator

PROGRAMS: Final[Mapping[str, tuple[Rule, ...]]] = {
    "operator": (*operator.RULES, *operator.GRANTED),
    "gateway": gateway.RULES,
}


def manifests(namespace: str) -> str:
    """Every object as YAML, for `kubectl apply -f -`."""
    return yaml.safe_dump_all(_objects(namespace), sort_keys=False)


def _objects(namespace: str) -> Iterator[dict[str, Any]]:
    for program, rules in PROGRAMS.items():
        name = f"{names.APP}-{program}"
        yield _object(SERVICE_ACCOUNTS, name, namespace)
        yield {**_object(ROLES, name, namespace), "rules": _plain(rules)}
        yield {
            **_object(ROLE_BINDINGS, name, namespace),
            "roleRef": {"apiGroup": ROLES.group, "kind": ROLES.kind, "name": name},
            "subjects": [{"kind": SERVICE_ACCOUNTS.kind, "name": name, "namespace": namespace}],
        }


def _object(resource: Resource, name: str, namespace: str) -> dict[str, Any]:
    labels = {names.LABEL_NAME: names.APP, names.LABEL_MANAGED_BY: names.APP}
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
    }


def _plain(rules: tuple[Rule, ...]) -> list[dict[str, list[str]]]:
    """Lists, as YAML knows no tuples."""
    return [
        {key: list(value) for key, value in msgspec.to_builtins(rule).items()} for rule in rules
    ]
