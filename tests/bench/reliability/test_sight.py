"""What kubectl says, as values, and whether all is well."""

import json
from typing import Any

import pytest

from bench.reliability.sight import SPREAD, Pod, read, uneven, unplaced, unwell


def camera(name: str, worker: str = "default-0", **status: Any) -> dict[str, Any]:
    return {
        "kind": "Camera",
        "metadata": {"name": name, "uid": name},
        "spec": {"source": {"rtsp": {"url": "rtsp://x/y"}}},
        "status": {
            "assignment": {"worker": worker, "epoch": 4, "time": "2026-11-25T00:00:00Z"},
            "stream": {"worker": worker, "epoch": 4, "connectedTime": "2026-11-25T00:00:00Z"},
            "conditions": [{"type": "Ready", "status": "True", "reason": "Connected"}],
            **status,
        },
    }


def pod(name: str, *, component: str = "worker", ready: bool = True, **metadata: Any) -> Any:
    condition = {"type": "Ready", "status": str(ready), "lastProbeTime": None}
    return {
        "kind": "Pod",
        "metadata": {
            "name": name,
            "uid": f"uid-{name}",
            "labels": {"app.kubernetes.io/component": component},
            **metadata,
        },
        "spec": {"nodeName": "n1", "containers": []},
        "status": {"podIP": "10.91.1.2", "conditions": [condition]},
    }


def sight(*items: dict[str, Any]) -> Any:
    return read(json.dumps({"kind": "List", "items": items}))


def test_pods_are_told_by_what_they_are_part_of_and_others_not_at_all() -> None:
    seen = sight(pod("default-1"), pod("default-0"), pod("r", component="redis"), camera("a"))
    expected = Pod("default-0", "uid-default-0", "10.91.1.2", "n1", ready=True)
    assert [one.name for one in seen.workers] == ["default-0", "default-1"]
    assert seen.workers[0] == expected
    assert seen.redis is not None
    assert seen.redis.name == "r"


def test_a_pod_without_an_address_or_a_node_is_told_as_such() -> None:
    pending = pod("r", component="redis")
    del pending["status"]["podIP"], pending["spec"]["nodeName"]
    seen = sight(pending)
    assert seen.redis is None
    assert seen.pods["redis"][0].host is None


def test_a_pod_that_is_going_is_not_ready() -> None:
    (going,) = sight(pod("default-0", deletionTimestamp="2026-11-25T00:00:00Z")).workers
    assert not going.ready


@pytest.mark.parametrize(
    "status",
    [
        {"assignment": {}},
        {"assignment": {"worker": "default-0", "epoch": 5}},
        {"assignment": {"worker": "default-0", "epoch": 4, "previous": "default-1"}},
        {"stream": {}},
        {"stream": {"worker": "default-0", "epoch": 4}},
        {"stream": {"worker": "default-9", "epoch": 4, "connectedTime": "x"}},
        {"conditions": [{"type": "Ready", "status": "False"}]},
        {"conditions": []},
    ],
)
def test_a_camera_is_placed_once_its_worker_says_so_and_nobody_else_is_to_yield(
    status: dict[str, Any],
) -> None:
    assert unplaced(sight(camera("a"), pod("default-0"))) == ""
    assert unplaced(sight(camera("a", **status), pod("default-0"))) != ""


def test_a_worker_that_is_away_or_not_ready_captures_nothing() -> None:
    seen = sight(camera("a"), pod("default-0"))
    assert unplaced(seen, ["default-0"]) == "not captured where they are to be: a"
    assert unplaced(sight(camera("a"), pod("default-0", ready=False))) != ""


def test_all_is_well_once_every_worker_is_ready_and_every_camera_captured() -> None:
    workers = [pod(f"default-{number}") for number in range(3)]
    cameras = [camera(f"c{number}", f"default-{number % 3}") for number in range(9)]
    assert unwell(sight(*cameras, *workers), 3) == ""
    assert unwell(sight(*cameras, *workers), 2) != ""
    assert unwell(sight(*cameras, *workers[:2]), 3) != ""
    moving = camera("m", assignment={"worker": "default-0", "epoch": 4, "previous": "default-1"})
    assert "m" in unwell(sight(*cameras, moving, *workers), 3)


def test_loads_are_uneven_where_one_worker_has_many_more_cameras() -> None:
    workers = [pod(f"default-{number}") for number in range(3)]
    crowd = [camera(f"c{number}") for number in range(SPREAD + 1)]
    assert uneven(sight(*crowd[1:], *workers)) == ""
    assert "uneven" in uneven(sight(*crowd, *workers))
