"""Which tests `make test SUITE=unit` takes."""

import pytest

from tools.unit_tests import ROOT, unit_tests

TESTS = ROOT / "tests"


@pytest.mark.parametrize(
    "name",
    [
        "standalone/test_program.py",  # by a module of tests/fakes that starts it
        "operator/test_kube_leading.py",  # by a fixture
        "worker/test_rtsp.py",  # waits for real cameras
        "chart/test_rendering.py",
        "e2e/test_doors.py",
    ],
)
def test_what_starts_a_program_is_none(name: str) -> None:
    assert unit_tests(iter([TESTS / name])) == []


@pytest.mark.parametrize("name", ["worker/test_motion.py", "operator/test_placement.py"])
def test_what_needs_python_alone_is_one(name: str) -> None:
    assert unit_tests(iter([TESTS / name])) == [TESTS / name]


def test_it_is_more_than_half_of_all_files() -> None:
    every = sorted(TESTS.rglob("test_*.py"))
    assert len(unit_tests(iter(every))) > len(every) / 2
