"""`python -m bench.reliability [SCENARIO …]`: break a real cluster, over and over, and measure.

Prints what each scenario cost, and writes its rows and its section of the reference page
(docs/reference/reliability.md). Whatever was measured is kept outside of the checkout, scenario by
scenario; `--page` writes the page of that again. Needs root: the nodes are this machine's own
(tests/cluster/nodes).
"""

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from bench import machine
from bench.reliability import fleet, page, real, result
from bench.reliability.figures import faults
from bench.reliability.result import Measured
from bench.reliability.run import repeat
from bench.reliability.scenarios import SCENARIOS
from tests.cluster.go_commands import Unavailable

_PAGE: Final = Path(__file__).parents[2] / "docs" / "reference" / "reliability.md"


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="bench.reliability", description=__doc__)
    parser.add_argument(
        "scenarios", nargs="*", metavar="SCENARIO", help=f"of {', '.join(SCENARIOS)}"
    )
    parser.add_argument("--times", type=int, default=20, help="of each (default %(default)s)")
    parser.add_argument(
        "--minutes", type=float, default=10.0, help="of the last three (default %(default)g)"
    )
    parser.add_argument("--cameras", type=int, default=fleet.CAMERAS, help="default %(default)s")
    parser.add_argument(
        "--keep", type=Path, default=result.directory(), help="where it is kept (%(default)s)"
    )
    parser.add_argument("--page", action="store_true", help="only write the page of what is kept")
    parser.add_argument("--dry", action="store_true", help="do not write the page")
    given = parser.parse_args(arguments)
    asked = given.scenarios or list(SCENARIOS)
    if unknown := set(asked) - SCENARIOS.keys():
        parser.error(f"no such scenario: {', '.join(sorted(unknown))}")
    if given.page:
        _write({name: one for name, one in result.load(given.keep).items() if name in asked})
        return 0
    try:
        return _measure(asked, given)
    except Unavailable as error:
        print(error, file=sys.stderr)
        return 1


def _measure(asked: Sequence[str], given: argparse.Namespace) -> int:
    told = machine.facts()
    facts = ", ".join(told[name] for name in ("CPU", "Memory", "Kernel"))
    with (
        tempfile.TemporaryDirectory() as home,
        real.stage(given.cameras, given.minutes, Path(home)) as stage,
    ):
        for name in asked:
            kept: dict[str, Measured] = {}

            def keep(measured: Measured, kept: dict[str, Measured] = kept) -> None:
                kept[measured.scenario] = measured
                result.save(measured, given.keep)
                last = measured.repetitions[-1:] or (None,)
                seconds = f"{last[0].seconds:.0f} s" if last[0] else measured.broken_off
                print(f"  {measured.scenario} {len(measured.repetitions)}: {seconds}", flush=True)

            command = f"make reliability SCENARIO={name}"
            repeat(name, stage, given.times, machine=facts, command=command, keep=keep)
            for measured in kept.values():
                print(*page.rows(measured), *faults(measured), sep="\n", flush=True)
            if not given.dry:
                _write(kept)
    return 0


def _write(measured: Mapping[str, Measured]) -> None:
    there = _PAGE.read_text("utf-8") if _PAGE.exists() else ""
    _PAGE.write_text(page.amended(there, measured), "utf-8")
    print(f"Written to {_PAGE}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
