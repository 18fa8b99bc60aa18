"""A token bucket: a burst, then a rate."""

from hypothesis import given
from hypothesis import strategies as st

from ingest_worker.bucket import Bucket


def test_a_burst_is_free_and_then_it_is_so_much_a_second() -> None:
    bucket = Bucket(rate=20, burst=20)
    taken = []
    now = 100.0
    for _ in range(60):
        now += bucket.wait(now)
        bucket.take(now)
        taken.append(now)
    assert taken[:20] == [100.0] * 20
    assert [round(at - 100.0, 6) for at in taken[20:23]] == [0.05, 0.1, 0.15]
    assert round(taken[-1] - 100.0, 6) == 2.0


pauses = st.lists(st.floats(0, 5), min_size=1, max_size=60)


@given(pauses, st.integers(1, 10), st.integers(1, 10))
def test_no_time_sees_more_than_a_burst_and_what_came_in(
    pauses: list[float], rate: int, burst: int
) -> None:
    bucket, now, taken = Bucket(rate, burst), 0.0, []
    for pause in pauses:
        now += pause
        now += bucket.wait(now)
        bucket.take(now)
        taken.append(now)
    for first, begin in enumerate(taken):
        for last in range(first, len(taken)):
            assert last - first + 1 <= burst + rate * (taken[last] - begin) + 1e-6


@given(pauses, st.integers(1, 10), st.integers(1, 10))
def test_who_takes_seldom_never_waits(pauses: list[float], rate: int, burst: int) -> None:
    bucket, now = Bucket(rate, burst), 0.0
    for pause in pauses:
        now += pause + 1 / rate
        assert bucket.wait(now) < 1e-9
        bucket.take(now)
