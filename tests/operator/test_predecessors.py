"""Who captured a Camera that is gone is known when the next one has its id."""

from ingest_operator.predecessors import MOST, Predecessors
from tests.fakes.states import camera


def test_who_had_it_last_is_known_by_its_id() -> None:
    memory = Predecessors()
    memory.ended(camera("lobby", id="door", worker="default-0"))
    memory.ended(camera("hall", id="door", worker="default-1"))
    assert memory.workers == {"door": "default-1"}


def test_in_a_handover_that_is_who_captures_it_still() -> None:
    memory = Predecessors()
    handed = {"worker": "default-1", "previous": "default-0", "exclusive": True, "epoch": 7}
    memory.ended(camera("a", **handed))
    memory.ended(camera("b", **handed, released=7))
    memory.ended(camera("c", **{**handed, "worker": None}))
    assert memory.workers == {"a": "default-0", "b": "default-1", "c": "default-0"}


def test_one_that_nobody_had_leaves_what_is_known_of_those_before_it() -> None:
    memory = Predecessors()
    memory.ended(camera(worker="default-0"))
    memory.ended(camera())
    assert memory.workers == {"lobby": "default-0"}


def test_those_that_ended_first_are_forgotten_first() -> None:
    memory = Predecessors()
    for number in range(MOST):
        memory.ended(camera(f"c{number}", worker="default-0"))
    memory.ended(camera("c0", worker="default-0"))
    memory.ended(camera("one more", worker="default-0"))
    assert len(memory.workers) == MOST
    assert "c0" in memory.workers
    assert "c1" not in memory.workers
