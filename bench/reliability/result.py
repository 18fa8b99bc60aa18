"""What a scenario's repetitions brought, as it is kept: raw enough to make the page again.

A file for each scenario, outside of the checkout, written after each repetition: a run that is
broken off has lost nothing. Written whole or not at all.
"""

from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from bench.reliability.truth import Outcome
from tests.cluster import cache

SessionKind = Literal["Shared", "Exclusive"]


class CameraResult(Struct, frozen=True):
    """One camera in one repetition.

    Attributes:
        affected: Somebody to whom the fault was done was reading it.
        sent: By the simulator's record.
        told: By the events that were heard; None where there could be none.
    """

    name: str
    session: SessionKind
    affected: bool
    sent: Outcome
    told: Outcome | None


class Account(Struct, frozen=True):
    """Where the events went that workers numbered during an outage of Redis."""

    produced: int
    heard: int
    dropped: int

    @property
    def exact(self) -> bool:
        return self.produced == self.heard + self.dropped


class Repetition(Struct, frozen=True):
    """One time that a fault was done.

    Attributes:
        began, ended: What was judged: Unix seconds.
        seconds: All that it took, with what comes before and after.
        cameras: Every one.
        violations: What must never be, as sentences.
        lost_events: That were numbered and never heard.
    """

    began: float
    ended: float
    seconds: float
    cameras: tuple[CameraResult, ...]
    violations: tuple[str, ...]
    lost_events: int | None
    account: Account | None = None


class Measured(Struct, frozen=True):
    """A scenario as it was measured.

    Attributes:
        scenario: Its name.
        date: Of the last time.
        machine: In words.
        command: That did it.
        asked: How many times it was to be repeated.
        broken_off: Why it was not repeated so many times.
    """

    scenario: str
    date: str
    machine: str
    command: str
    asked: int
    repetitions: tuple[Repetition, ...]
    broken_off: str = ""


def directory() -> Path:
    """Where they are kept."""
    return cache.folder() / "reliability"


def save(measured: Measured, where: Path) -> None:
    where.mkdir(parents=True, exist_ok=True)
    part = where / f"{measured.scenario}.part"
    part.write_bytes(msgspec.json.format(msgspec.json.encode(measured), indent=1))
    part.rename(where / f"{measured.scenario}.json")


def load(where: Path) -> dict[str, Measured]:
    """All that are kept there, by their names."""
    files = sorted(where.glob("*.json"))
    read = [msgspec.json.decode(file.read_bytes(), type=Measured) for file in files]
    return {one.scenario: one for one in read}
