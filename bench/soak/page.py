"""docs/reference/soak.md, of an outcome. Pure."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from bench.reliability import fleet
from bench.soak import memory
from bench.soak.outcome import Outcome

_HEAD: Final = (Path(__file__).parent / "head.md").read_text("utf-8")


def page(outcome: Outcome) -> str:
    """The whole of it."""
    head = _HEAD.format(
        cameras=fleet.CAMERAS,
        fps=fleet.FPS,
        workers=fleet.WORKERS,
        percent=100 * (memory.GROWTH - 1),
        slack=memory.SLACK / 1e6,
    )
    return "\n".join((head, *lines(outcome))) + "\n"


def lines(outcome: Outcome) -> Iterator[str]:
    """What was seen, in Markdown."""
    faults = ", ".join(f"{name} {count}" for name, count in outcome.faults.items())
    yield f"{outcome.date}, {outcome.minutes:g} minutes, seed {outcome.seed}; {outcome.machine}."
    yield ""
    yield f"- Faults: {sum(outcome.faults.values())} ({faults}); {outcome.cut} times with a cut."
    yield f"- Sessions opened: {outcome.sessions}. Cameras without a fault: {outcome.unharmed}."
    yield from (f"- BROKEN: {sentence}" for sentence in outcome.broken or ())
    if not outcome.broken:
        yield "- All of the above held."
    yield ""
    yield "| pod | CPU, cores | MB, second quarter | last quarter | over time, from 0 |"
    yield "|---|---|---|---|---|"
    for curve in outcome.curves:
        held = f"{curve.warm / 1e6:.1f} | {curve.ended / 1e6:.1f}"
        yield f"| `{curve.pod}` | {curve.cores:.3f} | {held} | `{curve.drawn()}` |"
