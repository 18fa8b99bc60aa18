"""docs/reference/reliability.md, made of what is kept, and of itself where nothing is. Pure.

Promise: a scenario that was measured alone changes its own rows and its own section.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, get_args

from bench.line import Verdict
from bench.reliability import fleet
from bench.reliability.figures import Budget, Figures, Spread, faults, figures, verdict
from bench.reliability.result import Measured, SessionKind
from bench.reliability.scenarios import SCENARIOS

_NONE: Final = "\N{EN DASH}"
_ROW: Final = re.compile(r"\| \[(.+?)\]")
_SECTION: Final = re.compile(r"\n(?=## )")

_HEAD: Final = (Path(__file__).parent / "head.md").read_text("utf-8")

_COLUMNS: Final = (
    "scenario",
    "cameras",
    "samples",
    "gap p50, s",
    "p99",
    "worst",
    "in frames p50",
    "p99",
    "worst",
    "lost",
    "untold",
    "others",
    "budget",
    "verdict",
)


def rows(measured: Measured) -> list[str]:
    """Of the table, in Markdown: one for each kind of session."""
    return list(_rows(measured))


def good(measured: Measured) -> bool:
    """Was it done as often as asked, every budget met, and nothing seen that must not be?"""
    met = all(verdict(found, budget) != Verdict.MISSED for _, found, budget in _judged(measured))
    return met and not wrongs(measured)


def wrongs(measured: Measured) -> list[str]:
    """Its faults, and a sentence for each kind of session whose budget nobody was judged by."""
    judged = {session for session, _, _ in _judged(measured)}
    return faults(measured) + [
        f"no {session} camera was affected, so its budget is not judged"
        for session in SCENARIOS[measured.scenario].budgets
        if session not in judged
    ]


def amended(there: str, measured: Mapping[str, Measured]) -> str:
    """The page with what was measured in the place of what it has of that."""
    told = _told_rows(there) | {name: rows(one) for name, one in measured.items()}
    sections = _told_sections(there) | {name: _section(one) for name, one in measured.items()}
    order = list(SCENARIOS)
    table = [f"| {' | '.join(_COLUMNS)} |", "|---" * len(_COLUMNS) + "|"]
    for name in order:
        table += told.get(name, ())
    written = [sections[name] for name in order if name in sections]
    return "\n\n".join((_head(), "## Figures", "\n".join(table), *written)) + "\n"


def _head() -> str:
    return _HEAD.strip().format(
        cameras=fleet.CAMERAS, fps=fleet.FPS, workers=fleet.WORKERS, interval=1 / fleet.FPS
    )


def _rows(measured: Measured) -> Iterator[str]:
    scenario = SCENARIOS[measured.scenario]
    anchor = scenario.title.lower().replace(" ", "-")
    for session, found, budget in _judged(measured):
        cells = (
            f"[{scenario.title}](#{anchor})",
            session,
            str(found.samples),
            *_cells(found.gap, 2),
            *_cells(found.gap_frames, 0),
            str(found.lost),
            _NONE if found.untold is None else str(found.untold),
            _NONE if found.others is None else str(found.others),
            str(budget or ""),
            verdict(found, budget).value,
        )
        yield f"| {' | '.join(cells)} |"


def _judged(measured: Measured) -> Iterator[tuple[SessionKind, Figures, Budget | None]]:
    budgets = SCENARIOS[measured.scenario].budgets
    for session in get_args(SessionKind):
        found = figures(measured.repetitions, session)
        if found is not None:
            yield session, found, budgets.get(session)


def _cells(values: Spread, digits: int) -> Iterator[str]:
    return (f"{value:.{digits}f}" for value in (values.p50, values.p99, values.worst))


def _section(measured: Measured) -> str:
    scenario = SCENARIOS[measured.scenario]
    times = len(measured.repetitions)
    lasted = sum(one.seconds for one in measured.repetitions) / max(times, 1)
    done = f"{measured.date}, {times} of {measured.asked} times, {lasted:.0f} s each"
    stamp = f"{done}; {measured.machine}. `{measured.command}`"
    lines = [f"## {scenario.title}", "", scenario.how, "", stamp]
    said = [*_accounts(measured), *wrongs(measured)]
    if said:
        lines += ["", *(f"- {text}" for text in said)]
    return "\n".join(lines)


def _accounts(measured: Measured) -> Iterator[str]:
    lost = [one.lost_events for one in measured.repetitions if one.lost_events]
    if lost:
        yield f"Events lost on their way: {sum(lost)}."
    for one in measured.repetitions:
        if one.account is not None and one.account.exact:
            account = one.account
            yield (
                f"Of {account.produced} events {account.heard} were heard, and {account.dropped} "
                "counted as dropped: exact."
            )


def _told_rows(there: str) -> dict[str, list[str]]:
    names = {scenario.title: name for name, scenario in SCENARIOS.items()}
    told: dict[str, list[str]] = {}
    for line in there.splitlines():
        found = _ROW.match(line)
        if found and found[1] in names:
            told.setdefault(names[found[1]], []).append(line)
    return told


def _told_sections(there: str) -> dict[str, str]:
    names: Mapping[str, str] = {one.title: name for name, one in SCENARIOS.items()}
    sections: Iterable[str] = _SECTION.split(there)
    titled: Sequence[tuple[str, str]] = [
        (one.partition("\n")[0].removeprefix("## "), one.strip()) for one in sections
    ]
    return {names[title]: text for title, text in titled if title in names}
