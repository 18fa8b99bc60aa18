"""`python -m bench.soak --minutes 60`: cameras misbehave on a real cluster; nothing else may.

`.ci/run` makes three minutes of it. A run of an hour or more writes docs/reference/soak.md. Needs
root, as `make reliability` does.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from random import SystemRandom
from typing import Final

from bench import machine
from bench.reliability import real
from bench.soak import kernel, page, past
from bench.soak.run import Site, Soak
from tests.cluster.go_commands import Unavailable

_PAGE: Final = Path(__file__).parents[2] / "docs" / "reference" / "soak.md"
_HOUR: Final = 60.0


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="bench.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=_HOUR, help="(default %(default)g)")
    parser.add_argument("--seed", type=int, help="of a run that is to be had again")
    given = parser.parse_args(arguments)
    seed = SystemRandom().randrange(2**32) if given.seed is None else given.seed
    print(f"A soak of {given.minutes:g} minutes, seed {seed}", flush=True)
    try:
        with tempfile.TemporaryDirectory() as home, real.installed(Path(home)) as found:
            outcome = Soak(_site(found), given.minutes, seed, _tell).run(machine.in_short())
    except Unavailable as error:
        print(error, file=sys.stderr)
        return 1
    print(*page.lines(outcome), sep="\n", flush=True)
    if given.minutes >= _HOUR:
        _PAGE.write_text(page.page(outcome), "utf-8")
        print(f"Written to {_PAGE}")
    return 1 if outcome.broken else 0


def _site(found: real.Fleet) -> Site:
    return Site(
        cluster=found.cluster,
        cameras=found.cameras,
        meters=real.WorkerMeters(),
        kernel=kernel,
        clock=time,
        kinds=found.kinds,
        fill=past.fill,
    )


def _tell(text: str) -> None:
    print(f"  {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
