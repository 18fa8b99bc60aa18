"""What the documents promise of the tree: a link leads somewhere."""

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LINK = re.compile(r"\]\(([^)\s]+)\)")
CODE = re.compile(r"^```.*?^```|`[^`\n]*`", re.MULTILINE | re.DOTALL)


def pages() -> Iterator[Path]:
    yield from (ROOT / "README.md", ROOT / "CONTRIBUTING.md")
    yield from sorted((ROOT / "docs").rglob("*.md"))


def broken(page: Path) -> Iterator[str]:
    """Relative links of a page that lead to nothing."""
    for target in LINK.findall(CODE.sub("", page.read_text())):
        path = target.partition("#")[0]
        ours = path and "://" not in path and not path.startswith("mailto:")
        if ours and not (page.parent / path).exists():
            yield f"{page.relative_to(ROOT)}: {target}"


def test_every_relative_link_leads_to_a_file() -> None:
    assert sum(len(LINK.findall(page.read_text())) for page in pages()) > 5  # it finds links
    assert [link for page in pages() for link in broken(page)] == []
