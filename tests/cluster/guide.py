"""What the documents tell a person to type, each command with where it stands. Pure but for files.

A command is

- a line of an indented block, or of a fenced block of `sh` or `bash`;
- in a fenced block of `console`, a line that begins with `$ `; what follows it is what one sees;
- code within a line of text that begins with one of PROGRAMS and has three words at least: two are
  the name of a command (`kubectl drain`), which a person completes from elsewhere.

A line that ends in a backslash goes on with the next. Other fenced blocks are files and answers.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
PROGRAMS: Final = (
    "kubectl",
    "helm",
    "kind",
    "docker",
    "make",
    "camera-ingest",
    ".venv/bin/camera-ingest",
    "curl",
    "redis-cli",
    "ffplay",
)

_SHELL: Final = ("sh", "bash")
_CODE: Final = re.compile(r"`([^`]+)`")
_HEADING: Final = re.compile(r"#+ (.*)")
_FENCE: Final = "```"
_INDENT: Final = "    "
_PROMPT: Final = "$ "


@dataclass(frozen=True, slots=True)
class Command:
    """One command.

    Attributes:
        page: The document, from the root of the checkout.
        section: The heading that it stands below.
        line: Where it begins.
        text: What is typed.
        within: It is part of a line of text, so that its turn is what the text says.
        shown: What the document shows as its answer.
    """

    page: str
    section: str
    line: int
    text: str
    within: bool = False
    shown: str = ""


@dataclass(frozen=True, slots=True)
class Fence:
    """A fenced block that is a file, or an answer."""

    page: str
    section: str
    line: int
    language: str
    text: str


def pages() -> tuple[str, ...]:
    """Every document that tells somebody who uses or changes this what to type."""
    fixed = ("README.md", "CONTRIBUTING.md", "charts/camera-ingest/README.md")
    guides = sorted((ROOT / "docs" / "guide").rglob("*.md"))
    return (*fixed, *(str(guide.relative_to(ROOT)) for guide in guides))


def commands(page: str, *sections: str) -> tuple[Command, ...]:
    """The commands of a page, or of some of its sections, section by section in this order."""
    found = [part for part in _parts(page) if isinstance(part, Command)]
    if not sections:
        return tuple(found)
    return tuple(one for section in sections for one in found if one.section == section)


def fences(page: str, language: str) -> tuple[Fence, ...]:
    """The files and answers of a page that are of this language."""
    found = (part for part in _parts(page) if isinstance(part, Fence))
    return tuple(fence for fence in found if fence.language == language)


def _parts(page: str) -> Iterator[Command | Fence]:
    """Everything that is code, in order."""
    section, lines = "", iter(enumerate((ROOT / page).read_text().splitlines(), 1))
    for number, line in lines:
        if heading := _HEADING.match(line):
            section = heading[1]
        elif line.startswith(_FENCE):
            language = line.removeprefix(_FENCE)
            block = [*_until_fence(lines)]
            yield from _of_block(page, section, number + 1, language, block)
        elif line.startswith(_INDENT):
            text = _whole(line, lines)
            yield Command(page, section, number, text)
        else:
            for code in _CODE.findall(line):
                words = code.split()
                if words[0] in PROGRAMS and len(words) > 2:
                    yield Command(page, section, number, code, within=True)


def _until_fence(lines: Iterator[tuple[int, str]]) -> Iterator[str]:
    for _, line in lines:
        if line.startswith(_FENCE):
            return
        yield line


def _of_block(
    page: str, section: str, number: int, language: str, block: list[str]
) -> Iterator[Command | Fence]:
    if language == "console":
        yield from _of_console(page, section, number, block)
    elif language in _SHELL:
        lines = iter(enumerate(block, number))
        for at, line in lines:
            if line.strip():
                yield Command(page, section, at, _whole(line, lines))
    else:
        yield Fence(page, section, number, language, "".join(f"{line}\n" for line in block))


def _of_console(page: str, section: str, number: int, block: list[str]) -> Iterator[Command]:
    """Commands with their answers."""
    lines = iter(enumerate(block, number))
    typed: tuple[int, str] | None = None
    shown: list[str] = []
    for at, line in lines:
        if not line.startswith(_PROMPT):
            shown.append(line)
            continue
        if typed:
            yield Command(page, section, *typed, shown="\n".join(shown))
        typed, shown = (at, _whole(line.removeprefix(_PROMPT), lines)), []
    if typed:
        yield Command(page, section, *typed, shown="\n".join(shown))


def _whole(line: str, lines: Iterator[tuple[int, str]]) -> str:
    """A command with the lines on which it goes on."""
    text = line.strip()
    while text.endswith("\\"):
        text = f"{text.removesuffix(chr(92)).rstrip()} {next(lines)[1].strip()}"
    return text
