"""Every scenario, played in virtual time: what it does to a cluster, and what is made of it."""

import pytest

from bench.reliability import fleet
from bench.reliability.cluster import NotWell
from bench.reliability.figures import figures
from bench.reliability.result import Account, Measured, SessionKind
from bench.reliability.run import repeat
from bench.reliability.scenarios import SCENARIOS
from bench.reliability.stage import Stage
from bench.reliability.turn import Turn
from tests.bench.reliability.played_clock import PlayedClock
from tests.bench.reliability.played_cluster import BACK, BREAK, FPS, MOVED, PlayedCluster

MINUTES = 0.5
INTERVAL = 1 / FPS
REPEATED = [name for name, scenario in SCENARIOS.items() if not scenario.once]


def played(*, heals: bool = True, two_readers: bool = False, uncounted: int = 0) -> Stage:
    clock = PlayedClock()
    kinds = fleet.kinds(f"cam{number}" for number in range(12))
    made = PlayedCluster(clock, kinds, heals, two_readers, uncounted)
    return Stage(made, made, made, made, clock, kinds, fleet.WORKERS, FPS, MINUTES)


def measured(name: str, stage: Stage, times: int = 3) -> Measured:
    kept: list[Measured] = []
    repeat(name, stage, times, machine="this", command="that", keep=kept.append)
    return kept[-1]


@pytest.mark.parametrize(
    ("name", "session", "gap"),
    [
        ("worker-killed", "Shared", BACK),
        ("worker-killed", "Exclusive", BACK),
        ("pod-deleted", "Shared", INTERVAL),
        ("pod-deleted", "Exclusive", BREAK),
        ("node-killed", "Shared", MOVED),
        ("node-killed", "Exclusive", MOVED),
        ("node-cut-off", "Shared", MOVED),
        ("node-cut-off", "Exclusive", MOVED),
        ("node-drained", "Shared", INTERVAL),
        ("node-drained", "Exclusive", BREAK),
        ("rolling-update", "Shared", INTERVAL),
        ("rolling-update", "Exclusive", BREAK),
        ("scaled", "Shared", INTERVAL),
        ("scaled", "Exclusive", BREAK),
        ("operator-down", "Shared", BACK),
        ("operator-down", "Exclusive", BACK),
        ("api-down", "Shared", INTERVAL),
        ("api-down", "Exclusive", MINUTES * 60),
        ("redis-down", "Shared", INTERVAL),
        ("redis-down", "Exclusive", INTERVAL),
    ],
)
def test_a_gap_is_as_long_as_the_cluster_made_it(
    name: str, session: SessionKind, gap: float
) -> None:
    told = measured(name, played())
    found = figures(told.repetitions, session)
    assert found is not None
    assert found.gap.worst == pytest.approx(gap, abs=INTERVAL + 1e-3)
    assert (found.lost == 0) == (gap == INTERVAL)
    assert not told.broken_off
    assert not [one for repetition in told.repetitions for one in repetition.violations]


@pytest.mark.parametrize("name", SCENARIOS)
def test_what_was_lost_is_what_nobody_told_of(name: str) -> None:
    for repetition in measured(name, played()).repetitions:
        for camera in repetition.cameras:
            assert (camera.told is None) == (name == "redis-down")
            if camera.told is not None:
                assert camera.told.lost == pytest.approx(camera.sent.lost, abs=2)


@pytest.mark.parametrize("name", REPEATED)
def test_it_is_repeated_on_another_worker_each_time(name: str) -> None:
    told = measured(name, played(), times=2)
    assert len(told.repetitions) == told.asked == 2
    first, second = (
        {camera.name for camera in one.cameras if camera.affected} for one in told.repetitions
    )
    assert len(first) == len(second) == 12 or first != second


@pytest.mark.parametrize("name", [name for name in SCENARIOS if name not in REPEATED])
def test_an_outage_of_minutes_is_done_once(name: str) -> None:
    (only,) = measured(name, played(), times=20).repetitions
    assert only.ended - only.began >= MINUTES * 60


def test_nodes_that_are_hit_are_never_the_one_that_redis_is_on() -> None:
    stage = played()
    assert {Turn(stage, number).node() for number in range(4)} == {"n2", "n3"}
    assert {Turn(stage, number).worker().name for number in range(4)} == {
        "default-0",
        "default-1",
        "default-2",
    }


def test_the_worker_that_is_never_hit_is_made_anew_before_a_node_is() -> None:
    stage = played()
    measured("node-killed", stage, times=2)
    assert isinstance(stage.cluster, PlayedCluster)
    assert stage.cluster.said.count("delete pod") == 2


@pytest.mark.parametrize("name", ["worker-killed", "node-killed", "node-cut-off"])
def test_what_does_not_heal_ends_the_scenario_and_is_told_to_the_end(name: str) -> None:
    told = measured(name, played(heals=False))
    (only,) = told.repetitions
    assert told.broken_off.startswith("not within 300 s: nobody receives: ")
    assert max(camera.sent.gap for camera in only.cameras) > 300


def test_a_node_that_was_cut_off_gets_its_cable_back_and_a_cordoned_one_is_opened() -> None:
    broken = played(heals=False)
    assert measured("node-cut-off", broken).broken_off
    stage = played()
    measured("node-drained", stage, times=1)
    assert isinstance(stage.cluster, PlayedCluster)
    assert stage.cluster.said[-1] != "drain n2"
    assert "uncordon n2" in stage.cluster.said


def test_two_readers_of_an_exclusive_camera_are_found() -> None:
    (only,) = measured("node-cut-off", played(two_readers=True), times=1).repetitions
    assert len(only.violations) >= 2  # by the camera's record, and by the events
    assert any("was read by two" in text for text in only.violations)
    assert any("told of its frames at once" in text for text in only.violations)


def test_every_event_of_an_outage_of_redis_is_accounted_for() -> None:
    (only,) = measured("redis-down", played()).repetitions
    assert only.account is not None
    assert only.account.exact
    assert only.account.dropped >= MINUTES * 60 * FPS * 12


def test_a_drop_that_was_not_counted_is_found() -> None:
    (only,) = measured("redis-down", played(uncounted=1)).repetitions
    account = only.account
    assert account is not None
    assert account == Account(account.produced, account.heard, account.dropped)
    assert account.produced == account.heard + account.dropped + 1
    assert not account.exact


def test_a_cluster_that_is_not_well_is_not_broken_further() -> None:
    stage = played(heals=False)
    assert isinstance(stage.cluster, PlayedCluster)
    stage.cluster.crash("n1")
    with pytest.raises(NotWell, match="2 of 3 workers are ready"):
        Turn(stage, 0)
    told = measured("worker-killed", stage)
    assert not told.repetitions
    assert told.broken_off


def test_each_scenario_says_how_it_is_done_and_no_two_have_one_title() -> None:
    assert all(scenario.how for scenario in SCENARIOS.values())
    titles = [scenario.title for scenario in SCENARIOS.values()]
    assert len(titles) == len(set(titles))
