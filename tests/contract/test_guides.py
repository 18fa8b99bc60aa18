"""Every command that a document tells a person to type is typed by a test, or exempt with a reason.

A test claims sections by a mark and types all of what they say, or fails (tests/cluster/typist.py);
so it is enough to see here who claims what.
"""

import importlib
import inspect
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from tests.cluster.exemptions import REASONS, exempt
from tests.cluster.guide import PROGRAMS, ROOT, Command, commands, pages
from tests.cluster.typist import MARK, Typist

CLAIMING: Final = f"@pytest.mark.{MARK}("
EVERY: Final = tuple(command for page in pages() for command in commands(page))


def claiming() -> Iterator[tuple[Any, tuple[str, ...]]]:
    """Each test that claims something, with what it claims: a page, and sections of it."""
    for file in sorted((ROOT / "tests").rglob("test_*.py")):
        if file != Path(__file__).resolve() and CLAIMING in file.read_text():
            name = ".".join(file.relative_to(ROOT).with_suffix("").parts)
            for value in vars(importlib.import_module(name)).values():
                for mark in getattr(value, "pytestmark", ()):
                    if mark.name == MARK:
                        yield value, mark.args


def claims() -> Mapping[Command, int]:
    """How many tests claim each command."""
    return Counter(command for _, claim in claiming() for command in commands(*claim))


def told(found: Iterator[Command]) -> list[str]:
    return [f"{command.page}:{command.line}: {command.text}" for command in found]


def test_every_command_of_every_document_is_claimed_by_one_test_or_exempt() -> None:
    claimed = claims()
    assert told(one for one in EVERY if not exempt(one) and not claimed[one]) == []
    assert told(one for one in EVERY if claimed[one] > 1) == []


def test_every_claim_is_of_sections_that_tell_what_to_type() -> None:
    for test, (page, *sections) in claiming():
        for section in sections:
            assert [one for one in commands(page, section) if not exempt(one)], (test, section)


def test_who_claims_types() -> None:
    for test, _ in claiming():
        assert inspect.signature(test).parameters["guide"].annotation is Typist, test


def test_every_line_of_an_indented_block_is_a_command() -> None:
    assert told(one for one in EVERY if one.text.split()[0] not in PROGRAMS) == []


def test_no_exemption_is_for_nothing() -> None:
    for beginning in REASONS:
        assert [one for one in EVERY if one.text.startswith(beginning)], beginning
