"""Merge conditions as the API server does: by type, each as old as its status. Pure."""

from collections.abc import Iterable

from msgspec.structs import replace

from ingest_core.model import Condition


def merged(
    there: Iterable[Condition], seen: Iterable[Condition], *, generation: int, now: str
) -> tuple[Condition, ...]:
    """The conditions there with those just seen among them.

    Args:
        there: At most one of a type.
        seen: Newer ones; the last one of a type counts.
        generation: Of the spec that they were seen under.
        now: RFC 3339; the transition time of a condition whose status is new.
    """
    by_type = {condition.type: condition for condition in there}
    for condition in seen:
        before = by_type.get(condition.type)
        same = before is not None and before.status == condition.status
        since = before.last_transition_time if before is not None and same else now
        by_type[condition.type] = replace(
            condition, last_transition_time=since, observed_generation=generation
        )
    return tuple(by_type.values())
