"""What the operator calls, and what it grants to workers: each rule beside what needs it. Pure.

Who grants must hold what it grants (RBAC's escalation check): so the worker's rules and `get` on
Secrets are among the operator's own, though it never reads a Secret.
"""

from typing import Final

import msgspec

from ingest_core.kube.rules import Rule
from ingest_core.names import API_GROUP

_RBAC: Final = "rbac.authorization.k8s.io"

_COORDINATION: Final = ("coordination.k8s.io",)
_OWN_LEASE: Final = Rule(api_groups=_COORDINATION, resources=("leases",), verbs=("get", "update"))

WORKER_RULES: Final = (  # of any worker; `worker_rules`: of a pool's
    Rule(api_groups=(API_GROUP,), resources=("cameras",), verbs=("list", "watch")),
    Rule(api_groups=(API_GROUP,), resources=("cameras/status",), verbs=("patch",)),
    Rule(api_groups=_COORDINATION, resources=("leases",), verbs=("create",)),  # RBAC knows no name
    _OWN_LEASE,
    Rule(api_groups=("",), resources=("events",), verbs=("create", "patch")),
)

GRANTED: Final = (  # held to be passed on, never used
    Rule(api_groups=("",), resources=("secrets",), verbs=("get",)),
)

RULES: Final = (
    Rule(api_groups=(API_GROUP,), resources=("cameras", "camerapools"), verbs=("list", "watch")),
    Rule(
        api_groups=(API_GROUP,),
        resources=("cameras/status", "camerapools/status"),
        verbs=("patch",),
    ),
    Rule(
        api_groups=_COORDINATION,
        resources=("leases",),
        verbs=("get", "list", "watch", "create", "update", "delete"),
    ),
    Rule(api_groups=("",), resources=("pods",), verbs=("list", "watch")),
    Rule(api_groups=("",), resources=("events",), verbs=("create", "patch")),
    Rule(
        api_groups=("apps",),
        resources=("statefulsets",),
        verbs=("list", "watch", "create", "patch"),
    ),
    Rule(api_groups=("",), resources=("services", "serviceaccounts"), verbs=("create", "patch")),
    Rule(api_groups=("policy",), resources=("poddisruptionbudgets",), verbs=("create", "patch")),
    Rule(
        api_groups=(_RBAC,),
        resources=("roles", "rolebindings"),
        verbs=("create", "patch", "list", "delete"),
    ),
)


def written() -> set[str]:
    """Plurals of what the operator writes for others to go by: all but its Events."""
    return {
        resource.partition("/")[0]
        for rule in RULES
        if not {"create", "patch"}.isdisjoint(rule.verbs)
        for resource in rule.resources
    } - {"events"}


def worker_rules(leases: tuple[str, ...]) -> tuple[Rule, ...]:
    """What a pool's workers may do: to these Leases, and to no other program's.

    Without a name a rule allows every Lease, so there is none where there are no names.
    """
    own = msgspec.structs.replace(_OWN_LEASE, resource_names=leases)
    narrowed = (own if rule is _OWN_LEASE else rule for rule in WORKER_RULES)
    return tuple(rule for rule in narrowed if rule is not own or leases)
