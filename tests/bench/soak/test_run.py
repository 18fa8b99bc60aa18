"""A soak tells what goes wrong in it, whatever it is, and goes on."""

from collections.abc import Callable

import pytest

from bench.soak.outcome import Outcome
from bench.soak.run import MORE, Soak
from ingest_core import metrics
from tests.bench.soak.played_site import CAMERAS, GATEWAY, HOSTS, REDIS, WORKER, PlayedSite

MINUTES = 30.0
GRAVE = '{"level": "error", "event": "capture_crashed"}'

Mishap = Callable[[PlayedSite], None]


def soak(site: PlayedSite, mishap: Mishap | None = None) -> Outcome:
    """What came of it; the mishap is in its middle."""
    if mishap is not None:
        site.clock.after(MINUTES * 30, lambda: mishap(site))
    return Soak(site.site(), MINUTES, seed=1, tell=lambda _: None).run("two cores")


def test_where_all_is_well_nothing_is_told_and_everything_was_looked_at() -> None:
    site = PlayedSite()
    found = soak(site)
    assert found.broken == ()
    assert (found.unharmed, found.lines, site.filled) == (1, 2, [HOSTS[REDIS]])
    assert found.sent == found.taken > 0.9 * MINUTES * 60 * 5
    assert {curve.pod for curve in found.curves} == set(HOSTS)
    assert found.faults
    assert set(site.faulty.values()) == {0}
    assert CAMERAS[0] not in site.faulty


def restarted(site: PlayedSite) -> None:
    site.restarts[GATEWAY] += 1


def replaced(site: PlayedSite) -> None:
    site.uids[WORKER] = "another"


def gone(site: PlayedSite) -> None:
    del site.uids[REDIS]


def complained(site: PlayedSite) -> None:
    site.logs[WORKER].append(GRAVE)


def deaf(site: PlayedSite) -> None:
    def back() -> None:
        site.deaf = False

    site.deaf = True
    site.clock.after(90, back)


def deaf_for_ever(site: PlayedSite) -> None:
    site.deaf = True


def begun_anew(site: PlayedSite) -> None:
    site.logs[WORKER] = []


def left_alone(site: PlayedSite) -> None:
    site.ended = site.clock.time()


def read_twice(site: PlayedSite) -> None:
    site.living = 2


def not_taken(site: PlayedSite) -> None:
    site.untaken = 6


def held(site: PlayedSite) -> None:
    site.held = MORE + 1


def counted(metric: metrics.Metric) -> Mishap:
    def mishap(site: PlayedSite) -> None:
        site.counted[metric.name] += 1

    return mishap


@pytest.mark.parametrize(
    ("mishap", "told"),
    [
        (restarted, "gateway was started again 1 times"),
        (replaced, "default-0 is not the pod that it was"),
        (gone, "redis is not the pod that it was"),
        (complained, f"default-0: {GRAVE}"),
        (deaf, "nobody answers"),
        (deaf_for_ever, "nobody answers"),
        (begun_anew, "default-0 has a log of 0 lines, which had 1"),
        (left_alone, "a was well, and nobody read 4 frames"),
        (read_twice, "b has 2 sessions"),
        (not_taken, "a was well, and of its 9000 frames 8994 were taken"),
        (held, "default-0 holds 17 descriptors, of at most 16: "),
        (counted(metrics.CAMERA_DROPS), "a was well, and 1 of its frames were dropped"),
        (counted(metrics.CAMERA_DECODE_ERRORS), "a was well, and 1 of its frames were dropped"),
        (counted(metrics.EVENTS_DROPPED), "1 events were dropped"),
        (counted(metrics.WORKER_SESSIONS), "workers hold 4 sessions of 3 cameras"),
    ],
)
def test_what_goes_wrong_is_told(mishap: Mishap, told: str) -> None:
    broken = soak(PlayedSite(), mishap).broken
    assert any(sentence.startswith(told) for sentence in broken), broken


def test_a_pod_that_grows_is_told() -> None:
    site = PlayedSite()
    site.leaks[WORKER] = 30_000
    told = soak(site).broken
    assert told == ("default-0 grew from 134 to 147 MB", "all together grew from 334 to 347 MB")


def test_pods_that_grow_a_little_all_of_them_are_told() -> None:
    site = PlayedSite()
    site.leaks.update(dict.fromkeys(HOSTS, 5_000))
    assert soak(site).broken == ("all together grew from 317 to 324 MB",)


def test_the_growth_of_the_others_is_told_when_a_pod_has_gone() -> None:
    site = PlayedSite()
    site.leaks.update(dict.fromkeys(HOSTS, 5_000))
    broken = soak(site, gone).broken
    assert "redis is not measured" in broken
    assert "all together grew from 211 to 216 MB" in broken


def test_a_pod_that_goes_at_once_ends_nothing() -> None:
    site = PlayedSite()
    site.clock.after(6, lambda: gone(site))
    assert "redis is not the pod that it was" in soak(site).broken


def test_of_a_pod_that_is_not_measured_nothing_is_known() -> None:
    site = PlayedSite()
    site.unseen.add(WORKER)
    assert soak(site).broken == ("default-0 is not measured",)


def test_of_a_program_that_logs_nothing_nothing_is_known() -> None:
    site = PlayedSite()
    site.logs[GATEWAY] = []
    assert soak(site).broken == ("gateway has logged nothing",)
