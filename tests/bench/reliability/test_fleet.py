"""The cameras that are measured, as Kubernetes takes them."""

import json
from collections import Counter
from typing import Any

import msgspec

from bench.reliability import fleet
from ingest_core.model import Camera
from ingest_core.pool import PoolSpec

NAMES = [f"cam{number}" for number in range(1, 61)]


def items() -> list[Any]:
    _, manifest = fleet.cameras(f"rtsp://10.90.0.1:8554/{name}" for name in NAMES)
    found: list[Any] = json.loads(manifest)["items"]
    return found


def test_a_third_of_the_cameras_is_exclusive_and_each_worker_gets_some() -> None:
    kinds = fleet.kinds(NAMES)
    assert Counter(kinds.values()) == {"Shared": 40, "Exclusive": 20}
    for worker in range(fleet.WORKERS):
        assert set(list(kinds.values())[worker :: fleet.WORKERS]) == {"Shared", "Exclusive"}


def test_every_camera_is_a_valid_one_of_its_kind_and_url() -> None:
    kinds, _ = fleet.cameras(f"rtsp://10.90.0.1:8554/{name}" for name in NAMES)
    cameras = [msgspec.convert(item, Camera) for item in items()]
    assert sorted(camera.name for camera in cameras) == sorted(NAMES)
    for camera in cameras:
        rtsp = camera.spec.source.rtsp
        assert rtsp is not None
        assert rtsp.session == kinds[camera.name]
        assert rtsp.url == f"rtsp://10.90.0.1:8554/{camera.name}"


def test_one_worker_has_room_for_all_and_half_of_the_exclusive_ones_move_first() -> None:
    weights = Counter((item["spec"]["weight"], _session(item)) for item in items())
    assert weights == {(16, "Shared"): 40, (16, "Exclusive"): 10, (17, "Exclusive"): 10}
    capacity = PoolSpec().worker.weight_capacity
    assert sum(weight * count for (weight, _), count in weights.items()) <= capacity


def test_the_pool_is_one_that_the_operator_takes_and_moves_nothing_by_itself() -> None:
    spec = msgspec.convert(fleet.values()["pool"]["spec"], PoolSpec)
    assert spec.replicas == fleet.WORKERS
    assert spec.rebalance.max_moves_per_minute == 0
    patched = json.loads(fleet.rebalance(on=True))["spec"]["rebalance"]
    assert msgspec.convert({"rebalance": patched}, PoolSpec).rebalance.max_moves_per_minute == 600


def _session(item: Any) -> str:
    return str(item["spec"]["source"]["rtsp"]["session"])
