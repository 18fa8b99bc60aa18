"""What is built is kept by all that decides what it is."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.cluster.go_commands import GoCommand, key_of

COMMAND = GoCommand("tool", "v1", "tool", "example/tool", {"example.Version": "v1"}, ("small",))


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    made = [tmp_path / name for name in ("go.mod", "go.sum", "tools.go")]
    for file in made:
        file.write_text(file.name)
    return made


@pytest.mark.parametrize(
    "other",
    [
        replace(COMMAND, package="example/other"),
        replace(COMMAND, stamps={"example.Version": "v2"}),
        replace(COMMAND, tags=()),
    ],
)
def test_another_build_has_another_key(other: GoCommand, files: list[Path]) -> None:
    assert key_of(other, files) != key_of(COMMAND, files)


@pytest.mark.parametrize("name", ["go.mod", "go.sum", "tools.go"])
def test_other_sources_have_another_key(name: str, files: list[Path]) -> None:
    before = key_of(COMMAND, files)
    next(file for file in files if file.name == name).write_text("changed")
    assert key_of(COMMAND, files) != before


def test_the_order_of_files_and_what_go_does_not_read_do_not_matter(
    tmp_path: Path, files: list[Path]
) -> None:
    note = tmp_path / "README.md"
    note.write_text("changed")
    assert key_of(COMMAND, [note, *reversed(files)]) == key_of(COMMAND, files)
