"""RFC 7396, by the table of its appendix A."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest_core.errors import InvalidManifest
from ingest_gateway.merge_patch import MAX_DEPTH, difference, merge


@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, "bar", "bar"),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_a_patch_is_merged_as_the_rfc_says(target: object, patch: object, result: object) -> None:
    assert merge(target, patch) == result


def test_neither_side_is_changed() -> None:
    target, patch = {"a": {"b": 1}}, {"a": {"c": 2}}
    merge(target, patch)
    assert (target, patch) == ({"a": {"b": 1}}, {"a": {"c": 2}})


def test_nesting_is_bounded() -> None:
    patch: object = 1
    for _ in range(MAX_DEPTH):
        patch = {"a": patch}
    merge({}, patch)
    with pytest.raises(InvalidManifest, match="nested"):
        merge({}, {"a": patch})


MAPPINGS = st.recursive(
    st.integers() | st.text() | st.lists(st.integers(), max_size=2),
    lambda inner: st.dictionaries(st.sampled_from("abcd"), inner, max_size=3),
).filter(lambda value: isinstance(value, dict))


@given(MAPPINGS, MAPPINGS)
def test_the_difference_of_two_makes_one_the_other(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    assert merge(before, difference(before, after)) == after


@given(MAPPINGS)
def test_what_is_the_same_has_no_difference(value: dict[str, Any]) -> None:
    assert difference(value, value) == {}


def test_a_difference_leaves_what_neither_side_knows() -> None:
    patch = difference({"a": {"b": 1, "c": 2}}, {"a": {"b": 3}})
    assert merge({"a": {"b": 1, "c": 2, "newer": 4}}, patch) == {"a": {"b": 3, "newer": 4}}
