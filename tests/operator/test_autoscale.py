"""How many workers a pool should have, and how many its StatefulSet keeps meanwhile."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest_core.pool import Autoscaling
from ingest_operator.autoscale import kept, replicas
from tests.fakes.states import pool


def test_without_autoscaling_the_user_decides() -> None:
    assert replicas(pool(replicas=3), weight=10**6, cameras=10**4) == 3
    assert replicas(pool(replicas=0), weight=0, cameras=0) == 0


@pytest.mark.parametrize(
    ("weight", "cameras", "spare", "expected"),
    [
        (0, 0, 0, 1),  # the least
        (800, 8, 0, 1),  # just the target of one
        (801, 8, 0, 2),
        (8000, 80, 0, 9),  # the most
        (800, 8, 1, 2),
        (8, 8, 0, 1),
        (9, 9, 0, 2),  # light ones, and a worker takes ten
        (4000, 40, 2, 7),
    ],
)
def test_with_it_cameras_use_at_most_the_target_and_spare_workers_come_on_top(
    weight: int, cameras: int, spare: int, expected: int
) -> None:
    scaling = Autoscaling(min_replicas=1, max_replicas=9, target_utilization_percent=80)
    scaled = pool(
        autoscaling=scaling, spare_workers=spare, worker_weight_capacity=1000, worker_max_cameras=10
    )
    assert replicas(scaled, weight, cameras) == expected


def test_a_pool_without_cameras_may_have_no_worker() -> None:
    scaled = pool(autoscaling=Autoscaling(min_replicas=0, max_replicas=9))
    assert replicas(scaled, 0, 0) == 0


@given(st.integers(0, 640_000), st.integers(0, 1000), st.integers(1, 256_000), st.integers(10, 100))
def test_it_is_the_least_number_that_keeps_the_target(
    weight: int, cameras: int, capacity: int, target: int
) -> None:
    scaling = Autoscaling(min_replicas=0, max_replicas=1000, target_utilization_percent=target)
    scaled = pool(autoscaling=scaling, worker_weight_capacity=capacity, worker_max_cameras=100)
    found = replicas(scaled, weight, cameras)

    def enough(number: int) -> bool:
        within = weight * 100 <= number * capacity * target
        return within and cameras * 100 <= number * 100 * target

    assert enough(found) or found == 1000
    assert found == 0 or not enough(found - 1)


def test_a_worker_is_not_taken_away_before_its_cameras_are() -> None:
    assert kept(wanted=2, busy=5) == 5
    assert kept(wanted=2, busy=1) == 2
