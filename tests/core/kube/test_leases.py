"""Whose Lease has run out, by the clock of whoever looks."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest_core import lenient, names
from ingest_core.errors import InvalidManifest
from ingest_core.kube.leases import (
    LONGEST_SECONDS,
    Holding,
    Lease,
    LeaseSpec,
    Seen,
    demand_room,
    inherited,
    outlives,
    seen,
)
from ingest_core.model import Metadata

DURATION = 10


def lease(holder: str | None = "a", renewed: str | None = "t1", duration: int | None = 10) -> Lease:
    spec = LeaseSpec(holder_identity=holder, renew_time=renewed, lease_duration_seconds=duration)
    return Lease(metadata=Metadata(name="worker-0"), spec=spec)


def test_a_renewal_counts_from_when_it_was_first_seen() -> None:
    first = seen(None, lease(), 100.0, 15)
    again = seen(first, lease(), 109.0, 15)
    assert again.at == 100.0
    assert again.alive(109.9)
    assert not again.alive(110.0)


def test_a_new_renewal_counts_anew() -> None:
    first = seen(None, lease(renewed="t1"), 100.0, 15)
    assert seen(first, lease(renewed="t2"), 109.0, 15).alive(118.9)


def test_the_same_time_of_another_holder_is_another_renewal() -> None:
    first = seen(None, lease(holder="a"), 100.0, 15)
    assert seen(first, lease(holder="b"), 109.0, 15) == Seen("b", "t1", 10.0, 109.0)


@pytest.mark.parametrize("renewed", [None, "1999-01-01T00:00:00Z", "2999-01-01T00:00:00Z", "soon"])
def test_what_the_holder_wrote_as_its_time_is_not_looked_at(renewed: str | None) -> None:
    one = seen(None, lease(renewed=renewed), 0.0, 15)
    assert one.alive(9.9)
    assert not one.alive(10.0)


@pytest.mark.parametrize("holder", [None, ""])
def test_one_that_nobody_holds_has_run_out(holder: str | None) -> None:
    assert not seen(None, lease(holder=holder), 0.0, 15).alive(0.0)


@pytest.mark.parametrize("duration", [None, 0])
def test_one_without_a_duration_has_the_default(duration: int | None) -> None:
    one = seen(None, lease(duration=duration), 0.0, 15)
    assert one.alive(14.9)
    assert not one.alive(15.0)


def test_a_changed_duration_counts_from_the_same_renewal() -> None:
    first = seen(None, lease(duration=10), 100.0, 15)
    longer = seen(first, lease(duration=60), 105.0, 15)
    assert (longer.at, longer.duration) == (100.0, 60.0)


@given(
    offset=st.floats(-1e9, 1e9),
    looks=st.lists(st.floats(0.01, 20.0), min_size=1, max_size=20),
    renews=st.lists(st.floats(0.5, 20.0), max_size=20),
)
def test_two_observers_never_need_one_clock(
    offset: float, looks: list[float], renews: list[float]
) -> None:
    """Whoever looks sees the holder alive for at least the duration from its last renewal."""
    times = [sum(renews[:count]) for count in range(len(renews) + 1)]
    known: Seen | None = None
    for look in (sum(looks[: count + 1]) for count in range(len(looks))):
        last = max(time for time in times if time <= look)
        known = seen(known, lease(renewed=f"{last}"), look + offset, 15)
        assert known.alive(look + offset) or look + 1e-3 >= last + DURATION


@pytest.mark.parametrize(
    ("annotations", "draining"),
    [
        ({"camera-ingest.io/draining": "true"}, True),
        ({"camera-ingest.io/draining": "false"}, False),
        ({"other": "true"}, False),
        ({}, False),
    ],
)
def test_a_worker_says_that_it_drains_by_an_annotation(
    annotations: dict[str, str], *, draining: bool
) -> None:
    raw = {"metadata": {"name": "worker-0", "annotations": annotations}, "spec": {}}
    assert lenient.convert(raw, Lease).draining is draining


def test_one_of_anybody_is_read() -> None:
    raw = b"""{"kind": "Lease", "apiVersion": "coordination.k8s.io/v1", "metadata":
        {"name": "x", "managedFields": []}, "spec": {"strategy": "OldestEmulationVersion"}}"""
    assert lenient.decode(raw, Lease).spec == LeaseSpec()
    assert not msgspec.json.decode(raw, type=Lease).draining


POD = "worker-0_uid-1_"


@pytest.mark.parametrize(
    ("holder", "pod", "seconds"),
    [
        (None, POD, 0),
        ("", POD, 0),
        (None, None, 0),
        ("worker-0_uid-1_10", POD, 0),  # a kubelet has seen it end
        ("worker-0_uid-2_10", POD, 10),
        ("worker-0_uid-1", POD, 10),
        ("worker-0_10", POD, 10),
        ("worker-0_10", None, 10),
        ("worker-0_uid-1_10", None, 10),
        ("somebody", POD, 10),
    ],
)
def test_who_let_go_or_was_of_the_same_pod_is_dead_and_anybody_else_may_live(
    holder: str | None, pod: str | None, seconds: float
) -> None:
    assert outlives(lease(holder), pod, 15) == seconds


@pytest.mark.parametrize(
    ("duration", "seconds"),
    [(None, 15), (0, 15), (3, 3), (300, 300), (10**9, LONGEST_SECONDS)],
)
def test_it_may_act_for_as_long_as_its_own_lease_counts_within_bounds(
    duration: int | None, seconds: float
) -> None:
    assert outlives(lease("other", duration=duration), POD, 15) == seconds


@pytest.mark.parametrize(
    ("holder", "settling", "seconds"),
    [
        ("worker-0_uid-1_10", "60", 60),
        (None, "60", 60),
        ("other", "60", 60),
        ("other", "3", 10),
        (None, "9" * 10_000, LONGEST_SECONDS),
        (None, "soon", 0),
        (None, "-1", 0),
        (None, "", 0),
    ],
)
def test_whom_the_last_holder_waited_for_the_next_one_waits_for(
    holder: str | None, settling: str, seconds: float
) -> None:
    metadata = Metadata(name="worker-0", annotations={names.ANNOTATION_SETTLING: settling})
    assert outlives(Lease(metadata=metadata, spec=lease(holder).spec), POD, 15) == seconds


def holding(text: str, holder: str | None = f"{POD}1", **more: str) -> Lease:
    annotations = {names.ANNOTATION_HOLDING: text, **more}
    metadata = Metadata(name="worker-0", annotations=annotations)
    return Lease(metadata=metadata, spec=lease(holder).spec)


def test_a_holding_is_read_as_it_was_said() -> None:
    said = Holding("boot", 12.5, 60.125)
    assert str(said) == "boot 12.500 60.125"
    assert holding(str(said)).holding == said
    assert inherited(holding(str(said)), POD, "boot", 60.125) == said


@pytest.mark.parametrize(
    ("found", "pod"),
    [
        (holding("boot 12.5 60"), None),
        (holding("boot 12.5 60"), "worker-0_uid-2_"),
        (holding("boot 12.5 60", holder=None), POD),  # let go of
        (holding("boot 12.5 60", **{names.ANNOTATION_SETTLING: "5"}), POD),
        (holding("another 12.5 60"), POD),
        (holding("boot 12.5 61"), POD),  # of another clock
        (holding("boot 61 60"), POD),
        (holding("boot nan nan"), POD),
        (holding("boot 12.5"), POD),
        (holding("boot 12.5 60 1"), POD),
        (holding("boot yesterday 60"), POD),
        (holding(""), POD),
        (lease(f"{POD}1"), POD),
    ],
)
def test_nothing_else_is_inherited(found: Lease, pod: str | None) -> None:
    assert inherited(found, pod, "boot", 60.0) is None


@given(duration=st.integers(3, 300))
def test_renewals_must_leave_room_for_one_that_is_lost(duration: int) -> None:
    most = (duration - 1) // 2
    demand_room(duration, most)
    with pytest.raises(InvalidManifest) as refused:
        demand_room(duration, most + 1)
    (problem,) = refused.value.problems
    assert (problem.field, problem.value) == ("lease_renew_seconds", str(most + 1))
    assert f"--lease-duration-seconds, which is {duration}," in problem.rule
