"""The copy of the cluster: the newest version counts, whoever brought it and in whichever order."""

import itertools
from typing import Any

import pytest

from ingest_operator.cluster import Cluster, Kind

POOL = "camera-ingest.io/pool"


class Copy(Cluster):
    """A copy with a clock that the test winds, and a count of what it told."""

    def __init__(self, patience: float = 3.0) -> None:
        self.time = 100.0
        self.told = 0
        super().__init__(self._count, lambda: self.time, patience)

    def _count(self) -> None:
        self.told += 1


@pytest.fixture
def copy() -> Copy:
    return Copy()


def camera(version: int, *, uid: str = "u1", weight: int = 100, **status: Any) -> Any:
    metadata = {"name": "lobby", "uid": uid, "resourceVersion": str(version), "generation": 1}
    return {"metadata": metadata, "spec": {"source": {}, "weight": weight}, "status": status}


def lease(version: int, renewed: str, *, pool: str | None = "default", **known: Any) -> Any:
    metadata: dict[str, Any] = {"name": "default-0", "resourceVersion": str(version)}
    if pool is not None:
        metadata["labels"] = {POOL: pool}
    if known.pop("draining", False):
        metadata["annotations"] = {"camera-ingest.io/draining": "true"}
    spec = {"holderIdentity": "a", "renewTime": renewed, "leaseDurationSeconds": 10, **known}
    return {"metadata": metadata, "spec": spec}


def pod(version: int, *, ready: bool = False, ending: bool = False, ip: str = "") -> Any:
    metadata = {"name": "default-0", "resourceVersion": str(version)}
    if ending:
        metadata["deletionTimestamp"] = "2026-11-22T09:00:00Z"
    conditions = [{"type": "Ready", "status": str(ready)}]
    return {"metadata": metadata, "status": {"podIP": ip, "conditions": conditions}}


def test_of_two_versions_the_newer_one_counts(copy: Copy) -> None:
    for version in (10, 12, 11, 12, 9):
        copy.see(Kind.CAMERA, camera(version, weight=version))
    assert copy.cameras["lobby"].weight == 12
    assert copy.told == 2


def test_the_newest_version_is_that_of_any_camera_that_was_seen_or_seen_to_be_gone(
    copy: Copy,
) -> None:
    """No epoch is above it, so of nothing else: other kinds may be kept elsewhere."""
    assert copy.version == 0
    copy.see(Kind.CAMERA, camera(12))
    copy.see(Kind.CAMERA, camera(11))
    copy.see(Kind.LEASE, lease(99, "t"))
    assert copy.version == 12
    copy.gone(Kind.CAMERA, "never known", 20)
    assert copy.version == 20


def test_versions_are_numbers(copy: Copy) -> None:
    copy.see(Kind.CAMERA, camera(9, weight=9))
    copy.see(Kind.CAMERA, camera(10, weight=10))
    assert copy.cameras["lobby"].weight == 10


def test_in_whichever_order_events_come_the_end_is_the_same() -> None:
    """Made, changed, deleted, made anew, changed; each of them twice."""
    seen = [camera(10), camera(12), camera(14, uid="u2"), camera(15, uid="u2", weight=3)]
    for order in itertools.permutations((*seen, None)):
        copy = Copy()
        for one in (*order, *order):
            happen(copy, one)
        assert (copy.cameras["lobby"].uid, copy.cameras["lobby"].weight) == ("u2", 3)


def test_what_was_deleted_is_not_brought_back_by_what_comes_late() -> None:
    for order in itertools.permutations((camera(10), camera(12), None)):
        copy = Copy()
        for one in order:
            happen(copy, one)
        assert not copy.cameras
        assert copy.head(Kind.CAMERA, "lobby") is None


def happen(copy: Copy, event: Any) -> None:
    """None: it was deleted, at version 13."""
    if event is None:
        copy.gone(Kind.CAMERA, "lobby", 13)
    else:
        copy.see(Kind.CAMERA, event)


def test_an_end_that_was_listed_later_than_it_came_is_no_matter(copy: Copy) -> None:
    copy.see(Kind.CAMERA, camera(10))
    copy.gone(Kind.CAMERA, "lobby", 20)
    copy.gone(Kind.CAMERA, "lobby", 11)
    copy.see(Kind.CAMERA, camera(15))
    assert not copy.cameras


def test_a_bounded_number_of_ends_is_remembered(copy: Copy) -> None:
    for number in range(5000):
        copy.gone(Kind.CAMERA, f"c{number}", number)
    assert len(copy._ends[Kind.CAMERA]) == 1000


@pytest.mark.parametrize("told", ["its end", "the new one", "both, late"])
def test_who_had_a_camera_is_known_when_it_is_made_anew(copy: Copy, told: str) -> None:
    copy.see(Kind.CAMERA, camera(5, assignment={"worker": "default-1", "epoch": 3}))
    if told == "its end":
        copy.gone(Kind.CAMERA, "lobby", 6)
    copy.see(Kind.CAMERA, camera(7, uid="u2"))
    if told == "both, late":
        copy.gone(Kind.CAMERA, "lobby", 6)
    assert copy.predecessors == {"lobby": "default-1"}
    copy.see(Kind.CAMERA, camera(8, uid="u2", assignment={"worker": "default-2", "epoch": 9}))
    assert copy.predecessors == {"lobby": "default-1"}
    copy.gone(Kind.CAMERA, "lobby", 9)
    assert copy.predecessors == {"lobby": "default-2"}


def test_only_what_a_plan_could_depend_on_is_told(copy: Copy) -> None:
    copy.see(Kind.CAMERA, camera(10))
    copy.see(Kind.CAMERA, camera(11, stream={"sessions": 3, "codec": "h264"}))
    assert (copy.told, copy.pending) == (1, 1)
    copy.see(Kind.CAMERA, camera(12, stream={"epoch": 3, "connectedTime": "t"}))
    assert (copy.told, copy.pending) == (2, 2)
    copy.gone(Kind.CAMERA, "lobby", 13)
    copy.gone(Kind.CAMERA, "lobby", 13)
    assert copy.told == 3


def test_a_pod_is_told_of_when_it_is_ready_or_ends(copy: Copy) -> None:
    copy.see(Kind.POD, pod(10))
    copy.see(Kind.POD, pod(11, ip="10.0.0.7"))
    assert copy.told == 1
    copy.see(Kind.POD, pod(12, ready=True))
    copy.see(Kind.POD, pod(13, ready=True, ending=True))
    assert copy.told == 3
    assert copy.pods["default-0"].terminating


def test_what_cannot_be_read_changes_nothing_and_is_not_missed(copy: Copy) -> None:
    """It is known, so that no sweep takes its watch for dead."""
    copy.see(Kind.CAMERA, camera(10))
    copy.see(Kind.CAMERA, {**camera(11), "spec": {"weight": "heavy"}})
    assert copy.cameras["lobby"].weight == 100
    head = copy.head(Kind.CAMERA, "lobby")
    assert head is not None
    assert head.resource_version == "11"
    assert copy.told == 1


def test_a_pool_of_a_newer_version_is_read_as_far_as_it_is_known(copy: Copy) -> None:
    metadata = {"name": "default", "uid": "u", "resourceVersion": "5"}
    spec = {"replicas": 7, "ofTomorrow": {"a": 1}}
    head = {"apiVersion": "camera-ingest.io/v1alpha1", "kind": "CameraPool"}
    copy.see(Kind.POOL, {**head, "metadata": metadata, "spec": spec})
    assert copy.pools["default"].spec.replicas == 7


def test_a_camera_that_cannot_be_read_any_more_is_known_as_it_was_until_it_can(copy: Copy) -> None:
    copy.see(Kind.CAMERA, camera(10))
    copy.see(Kind.CAMERA, {**camera(11), "spec": {"weight": "200m"}})
    assert (copy.cameras["lobby"].version, copy.unreadable_cameras) == (10, {"lobby"})
    copy.see(Kind.CAMERA, camera(12))
    assert (copy.cameras["lobby"].version, copy.unreadable_cameras) == (12, set())
    copy.see(Kind.CAMERA, {**camera(13), "spec": {"weight": "200m"}})
    copy.gone(Kind.CAMERA, "lobby", 14)
    assert (copy.cameras, copy.unreadable_cameras) == ({}, set())


# Leases


def test_a_renewal_counts_from_when_it_was_first_seen(copy: Copy) -> None:
    copy.see(Kind.LEASE, lease(10, "t1"))
    copy.time = 103.0
    copy.see(Kind.LEASE, lease(11, "t1", draining=True))
    assert copy.leases["default-0"].seen.at == 100.0
    copy.see(Kind.LEASE, lease(12, "t2"))
    assert copy.leases["default-0"].seen.at == 103.0


def test_a_renewal_is_told_of_only_when_it_changes_something(copy: Copy) -> None:
    steps: list[tuple[float, dict[str, Any], bool]] = [
        (0, {}, True),  # new
        (3, {}, False),
        (3, {"draining": True}, True),
        (3, {"draining": True}, False),
        (3, {}, True),
        (3, {"holderIdentity": "b"}, True),
        (3, {"holderIdentity": None}, True),
        (3, {"holderIdentity": "b"}, True),
        (3, {"holderIdentity": "b", "pool": "other"}, True),
    ]
    for number, (seconds, known, tells) in enumerate(steps):
        copy.time += seconds
        before = copy.told
        copy.see(Kind.LEASE, lease(10 + number, f"t{number}", **known))
        assert copy.told - before == tells, (number, known)


def test_a_worker_that_comes_back_is_told_of(copy: Copy) -> None:
    copy.see(Kind.LEASE, lease(10, "t1"))
    for _ in range(5):
        copy.time += 3.0
        copy.see(Kind.LEASE, {**lease(11 + _, "of another"), **other(11 + _)})
    before = copy.told
    copy.see(Kind.LEASE, lease(30, "t2"))
    assert copy.told == before + 1


def other(version: int) -> Any:
    return {"metadata": {"name": "camera-ingest-operator", "resourceVersion": str(version)}}


def test_the_operators_own_lease_is_no_workers(copy: Copy) -> None:
    copy.time += 2.5
    assert copy.silence == 2.5
    copy.see(Kind.LEASE, lease(10, "t1", pool=None))
    assert (copy.leases, copy.told) == ({}, 0)
    assert copy.silence == 0, "it is news of the watch"


def test_leases_do_not_age_while_their_watch_tells_nothing(copy: Copy) -> None:
    copy.see(Kind.LEASE, lease(10, "t1"))
    copy.time += 1000
    assert copy.leases["default-0"].seen.alive(copy.clock())
    assert copy.clock() == 103.0
    copy.see(Kind.LEASE, lease(11, "t1", draining=True))
    assert copy.leases["default-0"].seen.alive(copy.clock())
    for number in range(3):
        copy.time += 2.5
        copy.see(Kind.LEASE, {**lease(12, "t"), **other(12 + number)})
    assert not copy.leases["default-0"].seen.alive(copy.clock())


def test_a_worker_whose_lease_is_deleted_lives_until_it_would_have_run_out(copy: Copy) -> None:
    """Deleted by hand, say: the worker captures on, and renews what is not there any more."""
    copy.see(Kind.LEASE, lease(10, "t1"))
    copy.gone(Kind.LEASE, "default-0", 11)
    assert copy.head(Kind.LEASE, "default-0") is None
    assert copy.told == 1, "nothing has changed that a plan could depend on"
    for number in range(4):
        copy.time += 2.4
        copy.see(Kind.LEASE, {**lease(20, "of another"), **other(20 + number)})
        assert copy.leases["default-0"].seen.alive(copy.clock())
    copy.time += 2.4
    copy.see(Kind.LEASE, {**lease(20, "of another"), **other(30)})
    assert (copy.leases, copy.told) == ({}, 2)


def test_a_worker_that_makes_its_lease_anew_was_never_lost(copy: Copy) -> None:
    copy.see(Kind.LEASE, lease(10, "t1"))
    copy.gone(Kind.LEASE, "default-0", 11)
    copy.time += 2.0
    copy.see(Kind.LEASE, lease(12, "t2"))
    assert copy.told == 1
    for number in range(8):
        copy.time += 1.2
        copy.see(Kind.LEASE, {**lease(20, "of another"), **other(20 + number)})
    assert copy.leases["default-0"].seen.alive(copy.clock())


@pytest.mark.parametrize("released", [True, False])
def test_a_worker_whose_lease_counts_no_more_goes_with_it(copy: Copy, *, released: bool) -> None:
    """It was released, or ran out and was removed by us."""
    copy.see(Kind.LEASE, lease(10, "t1"))
    if released:
        copy.see(Kind.LEASE, lease(11, "t1", holderIdentity=None))
    else:
        for number in range(5):
            copy.time += 2.4
            copy.see(Kind.LEASE, {**lease(20, "of another"), **other(20 + number)})
    copy.gone(Kind.LEASE, "default-0", 30)
    assert not copy.leases
