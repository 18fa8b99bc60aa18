"""What a newer version added is let be; what is wrong stays wrong."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest_core import lenient
from ingest_core.model import Camera, Part
from ingest_core.pool import CameraPool

CAMERA: dict[str, Any] = {
    "apiVersion": "camera-ingest.io/v1alpha1",
    "kind": "Camera",
    "metadata": {"name": "lobby"},
    "spec": {
        "source": {
            "rtsp": {
                "url": "rtsp://10.0.0.7/stream",
                "credentialsSecretRef": {"name": "lobby-login"},
            }
        },
        "motion": {
            "masks": [
                {
                    "name": "tree",
                    "polygon": [
                        {"xPermille": 0, "yPermille": 0},
                        {"xPermille": 9, "yPermille": 0},
                        {"xPermille": 9, "yPermille": 9},
                    ],
                }
            ]
        },
    },
    "status": {"conditions": [{"type": "Ready", "status": "True", "reason": "Connected"}]},
}


class Leaf(Part, frozen=True):
    size: int = 0


class Tree(Part, frozen=True):
    """Each way in which a Struct can hold another one."""

    leaf: Leaf | None = None
    leaves: tuple[Leaf, ...] = ()
    listed: list[Leaf] = msgspec.field(default_factory=list)
    named: dict[str, Leaf] = msgspec.field(default_factory=dict)
    either: Leaf | str = ""
    text: str | None = None
    free: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET


def structs(value: Any, path: str = "$") -> dict[str, dict[str, Any]]:
    """Every mapping in a manifest, by its place."""
    found: dict[str, dict[str, Any]] = {}
    if isinstance(value, dict):
        found[path] = value
        for key, one in value.items():
            found |= structs(one, f"{path}.{key}")
    elif isinstance(value, list):
        for number, one in enumerate(value):
            found |= structs(one, f"{path}[{number}]")
    return found


def raw(value: object) -> bytes:
    return msgspec.json.encode(value)


PLAIN = lenient.decode(raw(CAMERA), Camera)


@pytest.mark.parametrize("place", structs(CAMERA))
def test_a_field_of_a_newer_version_changes_nothing_wherever_it_is(place: str) -> None:
    newer = msgspec.json.decode(raw(CAMERA))
    structs(newer)[place]["fromTheFuture"] = {"nested": [{"x": None}]}
    assert lenient.decode(raw(newer), Camera) == PLAIN
    assert lenient.convert(newer, Camera) == PLAIN


def test_all_of_them_at_once_change_nothing_either() -> None:
    newer = msgspec.json.decode(raw(CAMERA))
    for number, place in enumerate(structs(newer).values()):
        place[f"new{number}"] = number
    assert lenient.decode(raw(newer), Camera) == PLAIN


@pytest.mark.parametrize(
    ("given_", "read"),
    [
        ({"leaf": None, "x": 1}, Tree()),
        ({"leaf": {"size": 1, "x": 1}}, Tree(leaf=Leaf(size=1))),
        ({"leaves": [{"size": 1, "x": 1}, {}]}, Tree(leaves=(Leaf(size=1), Leaf()))),
        ({"listed": [{"x": []}]}, Tree(listed=[Leaf()])),
        ({"named": {"a": {"size": 1, "x": 1}}}, Tree(named={"a": Leaf(size=1)})),
        ({"either": "word", "x": 1}, Tree(either="word")),
        ({"text": "word", "x": 1}, Tree(text="word")),
        ({"free": {"a": {"b": 1}}, "x": 1}, Tree(free={"a": {"b": 1}})),
    ],
)
def test_whatever_holds_a_struct_may_hold_a_newer_one(given_: Any, read: Tree) -> None:
    assert lenient.decode(raw(given_), Tree) == read


@pytest.mark.parametrize(
    ("place", "field", "wrong"),
    [
        ("$", "kind", "CameraPool"),
        ("$", "spec", None),
        ("$.metadata", "name", "Lobby"),
        ("$.spec", "weight", "100"),
        ("$.spec", "weight", 0),
        ("$.spec", "decode", "Some"),
        ("$.spec.source.rtsp", "url", 7),
        ("$.spec.source.rtsp.credentialsSecretRef", "name", ["lobby-login"]),
        ("$.spec.motion.masks[0].polygon[2]", "xPermille", 1001),
        ("$.status.conditions[0]", "status", True),
    ],
)
@pytest.mark.parametrize("unknown", [{}, {"fromTheFuture": 1}])
def test_what_is_wrong_is_refused_with_or_without_news(
    place: str, field: str, wrong: object, unknown: dict[str, int]
) -> None:
    broken = msgspec.json.decode(raw(CAMERA)) | unknown
    structs(broken)[place][field] = wrong
    with pytest.raises(msgspec.ValidationError):
        lenient.decode(raw(broken), Camera)
    with pytest.raises(msgspec.ValidationError):
        lenient.convert(broken, Camera)


def test_what_is_missing_is_missed() -> None:
    with pytest.raises(msgspec.ValidationError, match="spec"):
        lenient.decode(b'{"metadata":{"name":"lobby"},"fromTheFuture":1}', Camera)


@pytest.mark.parametrize(
    "rubbish", [b"", b"{", b"null", b"[]", b"<html>", b'{"kind":"\xff"}', b'{"x":"\xff"}']
)
def test_what_is_no_object_is_one_kind_of_error(rubbish: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        lenient.decode(rubbish, Camera)


def test_a_pool_keeps_the_parts_that_are_kubernetes_own_as_they_are() -> None:
    affinity = {"podAntiAffinity": {"anything": [{"goes": 1}]}}
    newer = {
        "apiVersion": "camera-ingest.io/v1alpha1",
        "kind": "CameraPool",
        "metadata": {"name": "default"},
        "spec": {"worker": {"affinity": affinity, "fromTheFuture": 1}},
    }
    assert lenient.decode(raw(newer), CameraPool).spec.worker.affinity == affinity


@given(
    news=st.dictionaries(
        st.text(min_size=1).map("x-".__add__),
        st.recursive(st.none() | st.integers(0, 9) | st.text(), st.lists, max_leaves=5),
    )
)
def test_no_news_whatever_changes_what_is_read(news: dict[str, Any]) -> None:
    newer = msgspec.json.decode(raw(CAMERA))
    for place in structs(newer).values():
        place.update(news)
    assert lenient.convert(newer, Camera) == PLAIN
