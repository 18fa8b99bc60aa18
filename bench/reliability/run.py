"""Do a scenario so many times, and keep what came of each."""

from collections.abc import Callable
from datetime import UTC, datetime

from bench.reliability.cluster import NotWell
from bench.reliability.result import Measured, Repetition
from bench.reliability.scenarios import SCENARIOS
from bench.reliability.stage import Stage
from bench.reliability.turn import Turn


def repeat(
    name: str,
    stage: Stage,
    times: int,
    *,
    machine: str,
    command: str,
    keep: Callable[[Measured], None],
) -> None:
    """Do it; what was measured so far is given to `keep` after each time.

    What does not heal ends it: the times that are left would measure a broken cluster.

    Args:
        name: Of the scenario.
        stage: Where.
        times: How many times, unless it is one that is done once.
        machine: On which, in words.
        command: That does this.
        keep: Takes all that was measured so far.
    """
    scenario = SCENARIOS[name]
    asked = 1 if scenario.once else times
    done: list[Repetition] = []
    broken_off = ""
    while len(done) < asked and not broken_off:
        turn: Turn | None = None
        try:
            turn = Turn(stage, len(done))
            scenario.run(turn)
        except NotWell as error:
            broken_off = str(error)
        if turn is not None:
            done.append(turn.result())
        date = f"{datetime.fromtimestamp(stage.clock.time(), UTC):%Y-%m-%d}"
        keep(
            Measured(
                scenario=name,
                date=date,
                machine=machine,
                command=command,
                asked=asked,
                repetitions=tuple(done),
                broken_off=broken_off,
            )
        )
