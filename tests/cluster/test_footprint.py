"""What has grown is named; what cameras cost is no growth."""

import os
from dataclasses import replace

import pytest

from tests.cluster.footprint import SLACK, Footprint, footprint, grown

BEFORE = Footprint(cameras=4, megabytes=100, threads=20, descriptors=40)


def test_what_cameras_cost_is_no_growth_and_fewer_of_them_excuse_nothing() -> None:
    more = Footprint(cameras=10, megabytes=174, threads=42, descriptors=68)
    assert not [*grown("worker", BEFORE, BEFORE), *grown("worker", BEFORE, more)]
    assert len(list(grown("worker", BEFORE, replace(more, cameras=2)))) == 3


@pytest.mark.parametrize(
    ("after", "what"),
    [
        (replace(BEFORE, megabytes=151), "MB"),
        (replace(BEFORE, threads=21 + SLACK), "threads"),
        (replace(BEFORE, descriptors=41 + SLACK), "descriptors"),
    ],
)
def test_whatever_has_grown_is_named(after: Footprint, what: str) -> None:
    (said,) = grown("worker", BEFORE, after)
    assert said.startswith("worker holds ")
    assert f" {what}, of at most " in said


def test_it_is_read_off_a_running_program() -> None:
    found = footprint(os.getpid(), 3)
    assert found.cameras == 3
    assert found.threads >= 1
    assert found.descriptors >= 1
    assert found.megabytes > 0
