"""Which of two releases of a CRD is newer."""

import pytest

from ingest_core.names import ANNOTATION_VERSION
from ingest_standalone.crds import release


def of(said: str | None) -> dict[str, object]:
    annotations = {} if said is None else {ANNOTATION_VERSION: said}
    return {"metadata": {"annotations": annotations}}


@pytest.mark.parametrize(
    ("newer", "older"),
    [("0.1.1", "0.1.0"), ("0.10.0", "0.9.9"), ("1.0.0", "0.99.99"), ("0.0.1", None)],
)
def test_a_release_is_newer_by_its_numbers_and_than_what_says_none(
    newer: str, older: str | None
) -> None:
    ours, theirs = release(of(newer)), release(of(older))
    assert ours is not None
    assert theirs is not None
    assert ours > theirs


@pytest.mark.parametrize("said", ["1.0.0-rc.1", "v1.0.0", "1.2", "yesterday", ""])
def test_what_is_no_release_is_not_taken_for_an_old_one(said: str) -> None:
    assert release(of(said)) is None


def test_what_has_no_annotations_says_no_release() -> None:
    assert release({"metadata": {"annotations": None}}) == release({}) == ()
