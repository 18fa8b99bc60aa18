"""Conditions merge as the API server merges them."""

from typing import Any

import pytest

from ingest_core.conditions import merged
from ingest_core.model import Condition

OLD, NOW = "2026-11-22T09:00:00.000Z", "2026-11-22T10:00:00.000Z"


def condition(type_: str, status: Any = "True", reason: str = "R", since: str = OLD) -> Condition:
    return Condition(
        type=type_, status=status, reason=reason, last_transition_time=since, observed_generation=1
    )


def test_a_type_that_nobody_saw_anew_stays_as_it_is() -> None:
    there = (condition("Ready"), condition("Connected"))
    after = merged(there, [condition("Connected", "False")], generation=2, now=NOW)
    assert after[0] == there[0]
    assert [one.type for one in after] == ["Ready", "Connected"]


@pytest.mark.parametrize(("status", "since"), [("True", OLD), ("False", NOW), ("Unknown", NOW)])
def test_a_condition_is_as_old_as_its_status(status: str, since: str) -> None:
    seen = condition("Ready", status, "Other", since="whatever the writer says")
    (after,) = merged([condition("Ready")], [seen], generation=2, now=NOW)
    assert (after.reason, after.last_transition_time) == ("Other", since)
    assert after.observed_generation == 2


def test_a_new_type_begins_now() -> None:
    (after,) = merged((), [condition("Ready")], generation=1, now=NOW)
    assert after.last_transition_time == NOW


def test_of_one_type_seen_twice_the_last_counts() -> None:
    seen = [condition("Ready", "True"), condition("Ready", "False")]
    (after,) = merged((), seen, generation=1, now=NOW)
    assert after.status == "False"
