"""Two sessions at once are seen, and only a freeze of one of the two excuses them."""

import pytest

from ingest_simulator.session import SessionRecord
from tests.cluster.sessions import LET_GO_SECONDS, Freeze, overlaps


def session(client: str, playing: float | None, closed: float | None) -> SessionRecord:
    return SessionRecord(
        number=1,
        client=client,
        opened=0,
        transport="tcp",
        playing=playing,
        closed=closed,
        end=None,
        frames=0,
    )


def found(*sessions: SessionRecord, frozen: tuple[Freeze, ...] = ()) -> list[str]:
    return list(overlaps("lobby", sessions, frozen, now=100.0))


def test_sessions_one_after_the_other_are_well_and_so_is_one_that_never_played() -> None:
    assert not found(session("a", 1, 2), session("b", 2, 3), session("c", 4, None))
    assert not found(session("a", 1, 9), session("b", None, 3))


def test_two_at_once_are_named_whichever_began_first_and_however_many_came_between() -> None:
    assert found(session("b", 2, 4), session("a", 1, 3)) == [
        "lobby was read by two (a, b) for 1.000 s"
    ]
    assert found(session("a", 1, None), session("b", 90, 95)) == [
        "lobby was read by two (a, b) for 5.000 s"
    ]
    assert len(found(session("a", 1, 9), session("b", 2, 3), session("c", 4, 5))) == 2


HELD = (session("a", 1, 12), session("b", 8, None))


@pytest.mark.parametrize("client", ["a", "b"])
def test_a_freeze_of_one_of_the_two_excuses_it(client: str) -> None:
    assert not found(*HELD, frozen=(Freeze(5, 11, frozenset({client, "x"})),))


@pytest.mark.parametrize(
    "freeze",
    [
        Freeze(5, 11, frozenset({"x"})),
        Freeze(8.5, 11, frozenset({"a"})),
        Freeze(1, 12 - LET_GO_SECONDS - 0.5, frozenset({"a"})),
    ],
    ids=["another one's", "too late", "long over"],
)
def test_a_freeze_of_somebody_else_or_at_another_time_excuses_nothing(freeze: Freeze) -> None:
    assert len(found(*HELD, frozen=(freeze,))) == 1
