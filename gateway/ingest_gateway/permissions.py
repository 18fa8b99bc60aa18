"""What the gateway's account must be allowed to do: exactly the calls of its code.

It makes Secrets and deletes those it made; it can read none.
"""

from typing import Final

from ingest_core import names
from ingest_core.kube.rules import Rule

RULES: Final = (
    Rule(
        api_groups=(names.API_GROUP,),
        resources=("cameras",),
        verbs=("get", "list", "watch", "create", "update", "delete"),
    ),
    Rule(api_groups=("",), resources=("pods",), verbs=("list", "watch")),
    Rule(api_groups=("",), resources=("secrets",), verbs=("create", "delete")),
)
