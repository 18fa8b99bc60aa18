"""`python -m bench.reliability [SCENARIO …]`: break a real cluster, over and over, and measure.

Prints what each scenario cost, and writes its rows and its section of the reference page
(docs/reference/reliability.md). Whatever was measured is kept outside of the checkout, scenario by
scenario; `--page` writes the page of that again. Needs root: the nodes are this machine's own
(tests/cluster/nodes).
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from bench import machine
from bench.reliability import page, real, result
from bench.reliability.result import Measured
from bench.reliability.run import repeat
from bench.reliability.scenarios import SCENARIOS
from tests.cluster.go_commands import Unavailable

_PAGE: Final = Path(__file__).parents[2] / "docs" / "reference" / "reliability.md"
_TIMES: Final = 20
_MINUTES: Final = 10.0


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="bench.reliability", description=__doc__)
    parser.add_argument(
        "scenarios", nargs="*", metavar="SCENARIO", help=f"of {', '.join(SCENARIOS)}"
    )
    add = parser.add_argument
    add("--times", type=int, default=_TIMES, help="of each (default %(default)s)")
    add("--minutes", type=float, default=_MINUTES, help="of the last three (%(default)g)")
    add("--look", type=Path, metavar="DIR", help="keep it there, and leave the page as it is")
    add("--page", action="store_true", help="only write the page, of what is kept")
    given = parser.parse_args(arguments)
    asked = given.scenarios or list(SCENARIOS)
    if unknown := set(asked) - SCENARIOS.keys():
        parser.error(f"no such scenario: {', '.join(sorted(unknown))}")
    if given.page:
        kept = result.load(result.directory())
        _write({name: one for name, one in kept.items() if name in asked})
        return 0
    if len(asked) > 1:  # each on a cluster of its own: none finds what another one broke
        options = [argument for argument in arguments if argument not in SCENARIOS]
        return max([abs(_by_itself(name, options)) for name in asked])  # by a signal: below 0
    try:
        return 0 if _measure(asked[0], given) else 1
    except Unavailable as error:
        print(error, file=sys.stderr)
        return 1


def _by_itself(name: str, options: Sequence[str]) -> int:
    command = [sys.executable, "-m", "bench.reliability", name, *options]
    return subprocess.run(command, check=False).returncode


def _measure(name: str, given: argparse.Namespace) -> bool:
    """Is it as it should be? What broke off at once leaves what was kept and written before."""
    command = f"make reliability SCENARIO={name}{_differently(name, given)}"
    kept: dict[str, Measured] = {}

    def keep(measured: Measured) -> None:
        kept[name] = measured
        if measured.repetitions:
            result.save(measured, given.look or result.directory())
        times = len(measured.repetitions)
        seconds = f"{measured.repetitions[-1].seconds:.0f} s" if times else ""
        print(f"  {name} {times}: {seconds}", flush=True)

    with (
        tempfile.TemporaryDirectory() as home,
        real.stage(given.minutes, Path(home)) as stage,
    ):
        repeat(name, stage, given.times, machine=machine.in_short(), command=command, keep=keep)
    print(*page.rows(kept[name]), *page.wrongs(kept[name]), sep="\n", flush=True)
    if kept[name].repetitions and not given.look:
        _write(kept)
    return page.good(kept[name])


def _differently(name: str, given: argparse.Namespace) -> str:
    """What was not as by default, as make takes it."""
    if SCENARIOS[name].once:
        return "" if given.minutes == _MINUTES else f" MINUTES={given.minutes:g}"
    return "" if given.times == _TIMES else f" TIMES={given.times}"


def _write(measured: Mapping[str, Measured]) -> None:
    there = _PAGE.read_text("utf-8") if _PAGE.exists() else ""
    _PAGE.write_text(page.amended(there, measured), "utf-8")
    print(f"Written to {_PAGE}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
