"""A worker that hangs gathers no crowd."""

from contextlib import ExitStack, suppress

import pytest

from ingest_core.errors import WorkerBusy, WorkerSilent
from ingest_gateway.places import FAILURES, WAITING, Places


def fail(places: Places, times: int) -> None:
    for _ in range(times):
        with suppress(WorkerSilent), places.place("w"):
            raise WorkerSilent("hangs")


def places_of(places: Places) -> int:
    """How many can wait at once."""
    with ExitStack() as stack:
        for number in range(WAITING + 1):
            try:
                stack.enter_context(places.place("w"))
            except WorkerBusy:
                return number
    return WAITING + 1


def test_so_many_wait_and_no_more() -> None:
    assert places_of(Places()) == WAITING


def test_one_worker_takes_no_place_of_another() -> None:
    places = Places()
    with ExitStack() as stack:
        for _ in range(WAITING):
            stack.enter_context(places.place("other"))
        assert places_of(places) == WAITING


def test_after_failures_in_a_row_one_tries_and_its_success_opens_it_for_all() -> None:
    places = Places()
    fail(places, FAILURES)
    with (
        places.place("w"),
        pytest.raises(WorkerBusy, match="is being tried"),
        places.place("w"),
    ):
        pass
    assert places_of(places) == WAITING


def test_failures_that_are_not_in_a_row_close_nothing() -> None:
    places = Places()
    for _ in range(3):
        fail(places, FAILURES - 1)
        with places.place("w"):
            pass
    assert places_of(places) == WAITING


def test_what_goes_wrong_on_the_clients_side_does_not_count_against_a_worker() -> None:
    places = Places()
    for _ in range(FAILURES):
        with suppress(ValueError), places.place("w"):
            raise ValueError
    assert places_of(places) == WAITING


def test_of_workers_that_nobody_waits_for_only_the_failed_are_remembered() -> None:
    places = Places()
    with places.place("well"), suppress(WorkerSilent), places.place("w"):
        raise WorkerSilent("hangs")
    assert set(places._workers) == {"w"}
    with places.place("w"):
        pass
    assert places._workers == {}
