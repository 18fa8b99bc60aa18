"""JSON merge patch (RFC 7396). Pure."""

from collections.abc import Mapping
from typing import Any, Final

from ingest_core.errors import InvalidManifest, Problem

MAX_DEPTH: Final = 32


def merge(target: object, patch: object, depth: int = MAX_DEPTH) -> Any:
    """The target with the patch applied: mappings are merged, null removes, the rest replaces.

    Raises:
        InvalidManifest: The patch is nested too deeply.
    """
    if not isinstance(patch, dict):
        return patch
    if depth == 0:
        rule = f"must not be nested more than {MAX_DEPTH} deep"
        raise InvalidManifest(Problem("(document)", None, rule))
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge(merged.get(key), value, depth - 1)
    return merged


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """The patch that makes one mapping the other; neither holds a null."""
    patch: dict[str, Any] = {key: None for key in before if key not in after}
    for key, value in after.items():
        there = before.get(key)
        if isinstance(value, Mapping) and isinstance(there, Mapping):
            if within := difference(there, value):
                patch[key] = within
        elif key not in before or value != there:
            patch[key] = value
    return patch
