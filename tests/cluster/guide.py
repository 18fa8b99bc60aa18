"""What a guide tells a person to type."""

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
_INDENT: Final = "    "


def commands(page: str) -> tuple[str, ...]:
    """The indented lines of a page of docs/guide, one command each, in order.

    A line that ends in a backslash goes on with the next. Fenced blocks are no commands: they show
    files and answers.
    """
    lines = (ROOT / "docs" / "guide" / page).read_text().replace("\\\n", "").splitlines()
    outside, found = True, []
    for line in lines:
        outside ^= line.startswith("```")
        if outside and line.startswith(_INDENT):
            found.append(" ".join(line.split()))
    return tuple(found)
