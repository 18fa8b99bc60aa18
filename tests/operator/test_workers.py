"""How each worker is, from its Lease, its Pod and its pool."""

import pytest

from ingest_core.kube.leases import Seen
from ingest_operator.state import UNNUMBERED, Life
from ingest_operator.workers import FORGOTTEN_SECONDS, WorkerLease, next_expiry, workers

NOW = 1000.0


def lease(
    worker: str = "default-1",
    *,
    at: float = NOW,
    holder: str | None = "somebody",
    draining: bool = False,
    pool: str = "default",
    duration: float = 10.0,
) -> WorkerLease:
    return WorkerLease(worker, pool, Seen(holder, "t", duration, at), draining)


@pytest.mark.parametrize(
    ("one", "ending", "replicas", "life"),
    [
        (lease(), False, {"default": 2}, Life.OPEN),
        (lease(draining=True), False, {"default": 2}, Life.LEAVING),
        (lease(), True, {"default": 2}, Life.LEAVING),
        (lease(), False, {"default": 1}, Life.LEAVING),  # scaled in: its ordinal is 1
        (lease(), False, {"default": 0}, Life.LEAVING),
        (lease(), False, {}, Life.LEAVING),  # its pool is gone
        (lease(at=NOW - 9.99), False, {"default": 2}, Life.OPEN),
        (lease(at=NOW - 10), False, {"default": 2}, Life.LOST),
        (lease(at=NOW - 10, draining=True), True, {"default": 2}, Life.LOST),
        (lease(holder=None), False, {"default": 2}, Life.LOST),  # it let go
        (lease(at=NOW - 10), False, {"default": 1}, Life.GONE),
        (lease(at=NOW - 10), False, {}, Life.GONE),
        (lease("hollow"), False, {"default": 0}, Life.OPEN),  # no pod of the StatefulSet
        (lease("hollow", at=NOW - 10), False, {"default": 0}, Life.LOST),
        (lease("hollow", at=NOW - FORGOTTEN_SECONDS), False, {"default": 0}, Life.GONE),
        (lease("hollow", at=NOW - FORGOTTEN_SECONDS + 1), False, {"default": 0}, Life.LOST),
        (lease(at=NOW - 9 * FORGOTTEN_SECONDS), False, {"default": 2}, Life.LOST),  # a pod will be
        (lease("default-extra-1"), False, {"default": 0}, Life.OPEN),  # of another pool's, by name
    ],
)
def test_a_worker_is_as_its_lease_its_pod_and_its_pool_say(
    one: WorkerLease, *, ending: bool, replicas: dict[str, int], life: Life
) -> None:
    names = frozenset({one.worker}) if ending else frozenset[str]()
    (found,) = workers({one.worker: one}, names, replicas, NOW).values()
    assert (found.name, found.pool, found.life) == (one.worker, one.pool, life)


def test_scale_in_drains_the_highest_ordinals() -> None:
    leases = {name: lease(name) for name in ("default-2", "default-0", "default-10", "default-1")}
    found = workers(leases, frozenset(), {"default": 2}, NOW)
    leaving = {name for name, one in found.items() if one.life is Life.LEAVING}
    assert leaving == {"default-2", "default-10"}


def test_a_worker_that_is_no_pod_of_its_pool_has_no_number() -> None:
    leases = {name: lease(name) for name in ("default-7", "hollow", "other-7")}
    found = workers(leases, frozenset(), {"default": 9}, NOW)
    assert {name: one.ordinal for name, one in found.items()} == {
        "default-7": 7,
        "hollow": UNNUMBERED,
        "other-7": UNNUMBERED,
    }


def test_the_next_expiry_is_that_of_the_first_living_worker_to_run_out() -> None:
    leases = {
        "a": lease("a", at=NOW - 3),
        "b": lease("b", at=NOW - 5, duration=6),
        "lost": lease("lost", at=NOW - 11),
        "released": lease("released", at=NOW - 9, holder=None),
    }
    assert next_expiry(leases, NOW) == NOW + 1
    assert next_expiry({"lost": leases["lost"]}, NOW) is None
