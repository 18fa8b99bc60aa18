"""What the operator calls, and what it grants to workers: each rule beside what needs it. Pure.

Who grants must hold what it grants (RBAC's escalation check): so the worker's rules and `get` on
Secrets are among the operator's own, though it never reads a Secret.
"""

from typing import Final

from ingest_core.kube.rules import Rule
from ingest_core.names import API_GROUP

_RBAC: Final = "rbac.authorization.k8s.io"

WORKER_RULES: Final = (
    Rule(api_groups=(API_GROUP,), resources=("cameras",), verbs=("list", "watch")),
    Rule(api_groups=(API_GROUP,), resources=("cameras/status",), verbs=("patch",)),
    Rule(
        api_groups=("coordination.k8s.io",),
        resources=("leases",),
        verbs=("get", "create", "update"),
    ),
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
        api_groups=("coordination.k8s.io",),
        resources=("leases",),
        verbs=("get", "list", "watch", "create", "update", "delete"),
    ),
    Rule(api_groups=("",), resources=("pods",), verbs=("list", "watch")),
    Rule(api_groups=("",), resources=("events",), verbs=("create", "patch")),
    Rule(api_groups=("apps",), resources=("statefulsets",), verbs=("create", "patch")),
    Rule(api_groups=("",), resources=("services", "serviceaccounts"), verbs=("create", "patch")),
    Rule(api_groups=("policy",), resources=("poddisruptionbudgets",), verbs=("create", "patch")),
    Rule(
        api_groups=(_RBAC,),
        resources=("roles", "rolebindings"),
        verbs=("create", "patch", "list", "delete"),
    ),
)
