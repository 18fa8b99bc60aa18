"""Nothing that somebody else made becomes a pool's."""

import json
from typing import Any

import pytest

from ingest_operator.ownership import belongs

OURS = {"app.kubernetes.io/managed-by": "camera-ingest", "camera-ingest.io/pool": "default"}


def owner(uid: str, *, controller: bool = True) -> Any:
    return {"kind": "CameraPool", "name": "default", "uid": uid, "controller": controller}


@pytest.mark.parametrize(
    ("labels", "owners", "ours"),
    [
        ({}, [owner("u1")], True),
        (OURS, [owner("u1"), owner("u9", controller=False)], True),
        (OURS, [owner("u0")], False),  # of a pool of that name that is no more: it is collected
        (OURS, [], True),
        (OURS, [owner("u9", controller=False)], True),
        ({}, [], False),
        ({"camera-ingest.io/pool": "default"}, [], False),
        ({**OURS, "camera-ingest.io/pool": "other"}, [], False),
    ],
)
def test_an_object_is_the_pools_if_it_controls_it_or_left_it_behind(
    labels: dict[str, str], owners: list[Any], *, ours: bool
) -> None:
    metadata = {"name": "default", "labels": labels, "ownerReferences": owners}
    assert belongs(json.dumps({"metadata": metadata}).encode(), "default", "u1") == ours
