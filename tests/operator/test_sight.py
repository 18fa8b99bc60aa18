"""A clock that stands still while nothing is heard, and never goes back."""

from hypothesis import given
from hypothesis import strategies as st

from ingest_operator.sight import SightedClock


class Watch:
    """Seconds that the test winds on."""

    def __init__(self) -> None:
        self.time = 50.0

    def __call__(self) -> float:
        return self.time


def test_it_goes_on_while_something_is_heard_now_and_then() -> None:
    watch = Watch()
    clock = SightedClock(3.0, watch)
    for _ in range(10):
        watch.time += 3.0
        clock.called("get", "leases", "200", 0.1)
    assert clock() == 80.0


def test_it_stands_still_in_an_outage_and_goes_on_from_there() -> None:
    watch = Watch()
    clock = SightedClock(3.0, watch)
    watch.time += 600
    assert clock() == 53.0
    clock.called("get", "leases", "none", 0.1)
    assert clock() == 53.0, "no answer is none"
    clock.called("get", "leases", "401", 0.1)
    assert clock() == 53.0, "nor is one that says only that it does not know us"
    clock.called("get", "leases", "503", 0.1)
    assert clock() == 53.0
    watch.time += 2
    assert clock() == 55.0


@given(st.lists(st.tuples(st.floats(0, 20), st.booleans()), max_size=30))
def test_it_never_goes_back_and_is_never_faster(steps: list[tuple[float, bool]]) -> None:
    watch = Watch()
    clock = SightedClock(3.0, watch)
    for seconds, heard in steps:
        before = clock()
        watch.time += seconds
        if heard:
            clock.heard()
        assert -1e-9 <= clock() - before <= seconds + 1e-9
