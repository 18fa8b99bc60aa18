"""The course of a soak: who has which fault when."""

from collections import defaultdict
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from bench.soak.course import FAULT_SECONDS, FAULTS, QUIET_SECONDS, Act, course, victims
from ingest_simulator.faults import FaultKind

CAMERAS = [f"cam{number}" for number in range(60)]


def by_camera(acts: list[Act]) -> dict[str, list[Act]]:
    found = defaultdict(list)
    for act in acts:
        found[act.camera].append(act)
    return found


@given(seed=st.integers(0, 2**32), seconds=st.floats(0, 600))
def test_each_fault_is_healed_before_the_next_one_and_before_the_end(
    seed: int, seconds: float
) -> None:
    acts = course(CAMERAS, seconds, Random(seed))
    assert acts == sorted(acts, key=lambda act: act.at)
    for mine in by_camera(acts).values():
        for fault, healing in zip(mine[::2], mine[1::2], strict=True):
            assert fault.fault is not None
            assert healing.fault is None
            assert FAULT_SECONDS[0] <= healing.at - fault.at <= FAULT_SECONDS[1]
            assert healing.at < seconds
        for healing, fault in zip(mine[1::2], mine[2::2], strict=False):
            assert fault.at - healing.at >= QUIET_SECONDS[0]


def test_a_third_of_the_cameras_never_has_one() -> None:
    harmed = by_camera(course(CAMERAS, 3600, Random(1))).keys()
    assert harmed == set(victims(CAMERAS))
    assert len(harmed) == 40


def test_an_hour_has_every_fault_and_the_same_seed_the_same_course() -> None:
    acts = course(CAMERAS, 3600, Random(1))
    assert {act.fault for act in acts if act.fault} == set(FAULTS)
    assert acts == course(CAMERAS, 3600, Random(1)) != course(CAMERAS, 3600, Random(2))


def test_no_camera_refuses_a_login() -> None:
    """A worker would leave it alone for longer than a short soak lasts."""
    assert 401 not in {fault.status for fault in FAULTS}
    assert {fault.kind for fault in FAULTS} == set(FaultKind) - {FaultKind.DEAD_UDP}  # it has TCP


def test_a_fault_of_new_sessions_comes_with_a_cut_and_half_of_the_others_do() -> None:
    acts = [act for act in course(CAMERAS, 3600, Random(1)) if act.fault]
    met = {
        kind: [act.cut for act in acts if act.fault and act.fault.kind is kind]
        for kind in FaultKind
    }
    assert all(met[FaultKind.SDP])
    assert all(met[FaultKind.STATUS])
    assert 0.3 < sum(met[FaultKind.STALL]) / len(met[FaultKind.STALL]) < 0.7
