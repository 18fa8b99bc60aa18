"""What is read out of a document, and what a typist types and refuses."""

import os
from pathlib import Path
from typing import Final

import pytest

from tests.cluster.command_line import Failed
from tests.cluster.guide import commands, fences
from tests.cluster.shell import Shell
from tests.cluster.typist import Typist

PAGE: Final = """\
# One

    echo first \\
      line
    echo NAME Name

Then `helm upgrade`, and look: `kubectl -n NAMESPACE get pods`.

```yaml
kind: Camera
```

## Two

```console
$ echo asked
answered
twice
$ echo again
```
```sh
echo done   # by now
```
"""


@pytest.fixture
def page(tmp_path: Path) -> str:
    (tmp_path / "page.md").write_text(PAGE)
    return str(tmp_path / "page.md")


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path, {})


def test_every_command_is_found_with_where_it_stands_and_what_is_shown(page: str) -> None:
    found = [(one.section, one.line, one.text, one.within, one.shown) for one in commands(page)]
    assert found == [
        ("One", 3, "echo first line", False, ""),
        ("One", 5, "echo NAME Name", False, ""),
        ("One", 7, "kubectl -n NAMESPACE get pods", True, ""),
        ("Two", 16, "echo asked", False, "answered\ntwice"),
        ("Two", 19, "echo again", False, ""),
        ("Two", 22, "echo done   # by now", False, ""),
    ]
    assert [fence.text for fence in fences(page, "yaml")] == ["kind: Camera\n"]
    assert [one.line for one in commands(page, "Two", "One")] == [16, 19, 22, 3, 5, 7]


def test_commands_are_typed_in_order_and_only_words_in_capitals_are_the_readers(
    page: str, shell: Shell
) -> None:
    typist = Typist(shell, [(page, "One")])
    with pytest.raises(AssertionError, match="not 'echo NAME' is to be typed now"):
        typist.type("echo NAME")
    assert typist.type("echo") == "first line\n"
    with pytest.raises(AssertionError, match="Name is the document's"):
        typist.type("echo", Name="lobby")


def test_a_word_is_replaced_where_it_is_whole(page: str, shell: Shell) -> None:
    typist = Typist(shell, [(page, "One")])
    typist.type("echo")
    assert typist.type("echo", NAME="lobby") == "lobby Name\n"


def test_who_leaves_a_command_out_has_not_finished(page: str, shell: Shell) -> None:
    typist = Typist(shell, [(page, "Two")])
    typist.type("echo asked")
    typist.type("echo again")
    with pytest.raises(AssertionError, match=r"page.md:22: echo done"):
        typist.finished()
    typist.type("echo done")
    typist.finished()


def test_what_two_documents_say_alike_is_typed_once(
    page: str, shell: Shell, tmp_path: Path
) -> None:
    other = tmp_path / "other.md"
    other.write_text("# Three\n\n    echo asked\n    echo done\n")
    typist = Typist(shell, [(page, "Two"), (str(other),)])
    for word in ("asked", "again", "done"):
        typist.type(f"echo {word}")
    typist.finished()


def test_any_part_of_a_command_that_fails_is_its_failure(shell: Shell) -> None:
    with pytest.raises(Failed):
        shell.run("false | true")


def test_what_goes_on_is_ended_with_all_that_it_began(shell: Shell) -> None:
    with shell.begin("echo begun; sleep 1000 | cat") as foreground:
        foreground.wait_for("begun")
    with pytest.raises(ProcessLookupError):
        os.killpg(foreground.process.pid, 0)
