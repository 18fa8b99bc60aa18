"""`python -m bench [PART …]`: measure what design §12 promises, against the peers, in one run.

Prints each figure with its budget and verdict. A run of all parts writes
docs/reference/benchmarks.md; one of some parts only prints, or with `--write` puts their sections
in the place of what the page has. Everything is on loopback, and every
program that a part starts ends with it. What cannot be measured here says why and fails nothing:
a missed budget is a fact to be told, not an error.
"""

import argparse
import re
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from bench import (
    capacity,
    connecting,
    controlplane,
    cpu,
    firstframe,
    frontdoor,
    latency,
    machine,
    memory,
    plancost,
)
from bench.line import Line, table
from bench.processes import BenchError


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the benchmark: its title, and the module that measures it and says how."""

    title: str
    measure: Callable[[], list[Line]]
    how: str | None


PARTS: Final[Mapping[str, Part]] = {
    "cpu": Part("CPU of one camera", cpu.measure, cpu.__doc__),
    "capacity": Part("Cameras on one core", capacity.measure, capacity.__doc__),
    "memory": Part("Memory of a camera", memory.measure, memory.__doc__),
    "frontdoor": Part("HTTP", frontdoor.measure, frontdoor.__doc__),
    "latency": Part("Latency", latency.measure, latency.__doc__),
    "connecting": Part("Starting", connecting.measure, connecting.__doc__),
    "plan": Part("Cost of a plan", plancost.measure, plancost.__doc__),
    "controlplane": Part("Control plane", controlplane.measure, controlplane.__doc__),
    "firstframe": Part("From apply to a frame", firstframe.measure, firstframe.__doc__),
}
_PAGE: Final = Path(__file__).parent.parent / "docs" / "reference" / "benchmarks.md"


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--write", action="store_true", help="write the page for single parts, too")
    given = parser.parse_args(arguments)
    asked = given.parts
    if unknown := set(asked) - PARTS.keys():
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    began = time.monotonic()
    measured = {name: _run(PARTS[name]) for name in asked or PARTS}
    seconds = time.monotonic() - began
    if not asked or given.write:
        there = _PAGE.read_text("utf-8")
        _PAGE.write_text(amended(there, measured) if asked else page(measured, seconds), "utf-8")
        print(f"\nWritten to {_PAGE}")


def _run(part: Part) -> list[Line]:
    print(part.title, flush=True)
    try:
        lines = part.measure()
    except BenchError as error:
        lines = [Line(part.title, None, "", detail=str(error))]
    for line in lines:
        print(line, flush=True)
    return lines


def page(measured: Mapping[str, list[Line]], seconds: float) -> str:
    """The reference page, in Markdown."""
    facts = "\n".join(f"| {name} | {value} |" for name, value in machine.facts().items())
    sections = "\n\n".join(_section(name, lines) for name, lines in measured.items())
    return f"""# Benchmarks

Written by `make bench` (`python -m bench`); do not edit. Of {datetime.now(UTC):%Y-%m-%d}, in \
{seconds:.0f} s. Budgets are those of the design, §12. One part alone: `python -m bench PART`, of \
{", ".join(f"`{name}`" for name in PARTS)}.

| machine | |
|---|---|
{facts}

{sections}
"""


def amended(there: str, measured: Mapping[str, list[Line]]) -> str:
    """The page with the sections of single parts anew, each with its date."""
    head, *found = re.split(r"\n(?=## )", there)
    sections = {one.partition("\n")[0].removeprefix("## "): one.strip() for one in found}
    for name, lines in measured.items():
        stamp = f"Of {datetime.now(UTC):%Y-%m-%d}, by `python -m bench {name}`."
        sections[PARTS[name].title] = f"{_section(name, lines)}\n\n{stamp}"
    titles = [part.title for part in PARTS.values()]
    ordered = sorted(sections, key=lambda title: titles.index(title) if title in titles else -1)
    return "\n\n".join((head.strip(), *(sections[title] for title in ordered))) + "\n"


def _section(name: str, lines: list[Line]) -> str:
    return f"## {PARTS[name].title}\n\n{PARTS[name].how}\n{table(lines)}"


if __name__ == "__main__":
    main(sys.argv[1:])
