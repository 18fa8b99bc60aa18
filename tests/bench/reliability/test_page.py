"""The published page, made of what was measured and of itself."""

from pathlib import Path
from typing import get_args

import msgspec
import pytest

from bench.line import Verdict
from bench.reliability import result
from bench.reliability.page import amended, good, rows, wrongs
from bench.reliability.result import Account, CameraResult, Measured, Repetition, SessionKind
from bench.reliability.scenarios import SCENARIOS
from bench.reliability.truth import Outcome


def measured(
    scenario: str, gap: float = 2.0, date: str = "2026-11-25", account: Account | None = None
) -> Measured:
    lost = round(gap * 5) - 1
    cameras = tuple(
        CameraResult(session, session, True, Outcome(gap, lost, lost), None)
        for session in get_args(SessionKind)
    )
    violations = ("cam1 was read by two",) if gap > 50 else ()
    repetition = Repetition(0.0, 9.0, 12.0, cameras, violations, 7, account)
    return Measured(scenario, date, "two cores", "make it so", 20, (repetition,))


def test_a_row_has_the_figures_the_budget_and_whether_it_is_met() -> None:
    first, second = rows(measured("worker-killed"))
    link = "[Worker process killed](#worker-process-killed)"
    figures = f"1 | 2.00 | 2.00 | 2.00 | 9 | 9 | 9 | 9 | {Verdict.TOLD} | {Verdict.TOLD}"
    assert first == f"| {link} | Shared | {figures} | p99 ≤ 5 s | met |"
    assert second == f"| {link} | Exclusive | {figures} | p99 ≤ 5 s | met |"
    assert all(row.endswith("| p99 ≤ 5 s | MISSED |") for row in rows(measured("worker-killed", 6)))
    assert rows(measured("pod-deleted"))[0].endswith(f"|  | {Verdict.TOLD} |")


def test_what_missed_a_budget_or_was_broken_off_is_not_good() -> None:
    assert good(measured("node-killed", 14.9))
    assert not good(measured("node-killed", 15.1))
    assert not good(msgspec.structs.replace(measured("node-killed", 1.0), broken_off="n2"))


def test_a_budget_that_nobody_was_judged_by_is_not_met() -> None:
    nobody = measured("node-killed")
    (repetition,) = nobody.repetitions
    unaffected = tuple(msgspec.structs.replace(one, affected=False) for one in repetition.cameras)
    untouched = msgspec.structs.replace(repetition, cameras=unaffected)
    nobody = msgspec.structs.replace(nobody, repetitions=(untouched,))
    assert not good(nobody)
    assert len(wrongs(nobody)) == 2


def test_a_page_of_nothing_but_what_was_measured_has_its_section_and_its_rows() -> None:
    page = amended("", {"node-killed": measured("node-killed")})
    assert page.startswith("# Reliability\n")
    assert "\n## Node killed\n\nA node's power fails." in page
    assert "\n2026-11-25, 1 of 20 times, 12 s each; two cores. `make it so`\n" in page
    assert "- Events lost on their way: 7." in page
    assert page.count("| [Node killed](#node-killed) |") == 2
    assert "{" not in page


def test_a_scenario_alone_writes_its_own_rows_and_section_and_leaves_the_others() -> None:
    whole = amended("", {name: measured(name) for name in SCENARIOS})
    again = amended(whole, {"node-drained": measured("node-drained", 3.0, "2026-11-26")})
    changed = set(again.splitlines()) - set(whole.splitlines())
    assert len(changed) == 3
    assert len(again.splitlines()) == len(whole.splitlines())
    assert all("Node drained" in line or "2026-11-26" in line for line in changed)


def test_writing_the_same_again_changes_nothing() -> None:
    all_of_it = {name: measured(name) for name in SCENARIOS}
    whole = amended("", all_of_it)
    assert amended(whole, {}) == whole
    assert amended(whole, all_of_it) == whole


def test_scenarios_stand_in_the_order_of_the_table_whichever_was_measured_first() -> None:
    one_by_one = ""
    for name in reversed(list(SCENARIOS)):
        one_by_one = amended(one_by_one, {name: measured(name)})
    assert one_by_one == amended("", {name: measured(name) for name in SCENARIOS})


def test_what_must_not_be_is_in_the_section() -> None:
    assert "- cam1 was read by two" in amended("", {"node-cut-off": measured("node-cut-off", 60.0)})


@pytest.mark.parametrize(
    ("account", "said"),
    [
        (Account(10, 6, 4), "- Of 10 events 6 were heard, and 4 counted as dropped: exact."),
        (Account(10, 6, 3), "- of 10 events 6 were heard and 3 counted as dropped"),
    ],
)
def test_an_account_of_events_is_told_exact_or_not(account: Account, said: str) -> None:
    assert said in amended("", {"redis-down": measured("redis-down", account=account)})


def test_what_is_kept_is_read_again_as_it_was(tmp_path: Path) -> None:
    kept = [measured("node-killed"), measured("redis-down", account=Account(10, 6, 4))]
    for one in kept:
        result.save(one, tmp_path)
    result.save(kept[0], tmp_path)
    assert result.load(tmp_path) == {one.scenario: one for one in kept}
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "node-killed.json",
        "redis-down.json",
    ]
