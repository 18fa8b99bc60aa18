"""docs/reference/soak.md, of an outcome. Pure."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from bench.reliability import fleet
from bench.soak import memory, run
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
        warm=run.WARM_SECONDS / 60,
        more=run.MORE,
    )
    return "\n".join((head, *lines(outcome))) + "\n"


def lines(outcome: Outcome) -> Iterator[str]:
    """What was seen, in Markdown."""
    faults = ", ".join(f"{name} {count}" for name, count in outcome.faults.items())
    yield f"{outcome.date}, {outcome.minutes:g} minutes, seed {outcome.seed}; {outcome.machine}."
    yield ""
    yield f"- Faults: {sum(outcome.faults.values())} ({faults}); {outcome.cut} times with a cut."
    yield f"- Sessions opened: {outcome.sessions}. Lines of logs read: {outcome.lines}."
    well = f"{outcome.unharmed} cameras without a fault"
    yield f"- The {well} sent {outcome.sent} frames, of which {outcome.taken} were taken by then."
    yield from (f"- BROKEN: {sentence}" for sentence in outcome.broken)
    if not outcome.broken:
        yield "- All of the above held."
    yield ""
    columns = ("pod", "CPU, cores", "MB, second quarter", "last quarter", "MB more an hour")
    yield f"| {' | '.join(columns)} | over time | from, to MB |"
    yield "|---" * (len(columns) + 2) + "|"
    for curve in outcome.curves:
        figures = (curve.warm / 1e6, curve.ended / 1e6, curve.hourly / 1e6)
        held = " | ".join(f"{figure:.1f}" for figure in figures)
        lowest, highest = min(curve.held) / 1e6, max(curve.held) / 1e6
        drawn = f"`{curve.drawn()}` | {lowest:.1f}, {highest:.1f}"
        yield f"| `{curve.pod}` | {curve.cores:.3f} | {held} | {drawn} |"
