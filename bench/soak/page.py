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
        together=100 * (memory.TOGETHER - 1),
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
    taken = f"workers took {outcome.taken}, counted from a moment before to a moment after"
    yield f"- The {outcome.unharmed} cameras without a fault sent {outcome.sent} frames; {taken}."
    yield from (f"- BROKEN: {sentence}" for sentence in outcome.broken)
    if not outcome.broken:
        yield "- All of the above held."
    yield ""
    yield "| pod | CPU, cores | MB, third quarter | last quarter | over time | from, to MB |"
    yield "|---|---|---|---|---|---|"
    for curve in (*outcome.curves, memory.together(outcome.curves)):
        held = f"{curve.warm / 1e6:.1f} | {curve.ended / 1e6:.1f} | `{curve.drawn()}`"
        span = f"{min(curve.held) / 1e6:.1f}, {max(curve.held) / 1e6:.1f}"
        yield f"| {curve.pod} | {curve.cores:.3f} | {held} | {span} |"
