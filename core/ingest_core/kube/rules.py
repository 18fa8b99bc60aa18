"""A program's permissions as values, declared beside the code that needs them. Pure."""

from msgspec import Struct


class Rule(
    Struct,
    frozen=True,
    kw_only=True,
    rename="camel",
    omit_defaults=True,
    forbid_unknown_fields=True,
):
    """A PolicyRule of a Role: these verbs on these resources; with names, on those objects only."""

    api_groups: tuple[str, ...]
    resources: tuple[str, ...]
    verbs: tuple[str, ...]
    resource_names: tuple[str, ...] = ()
