"""Types what the sections of a document say, as it stands there, and leaves nothing out.

Promise: what is typed is the document's own text. Only words in capitals, by which it marks what is
the reader's, are replaced, and addresses of other people's sites by files. Commands of blocks are
typed in their order; those within a line of text when a test says. Who claims a section and does
not type all of it fails (`finished`). What two documents say alike is typed once.

A test says which sections are its own, and gets a typist for them from its suite's fixture:

    @pytest.mark.types("docs/guide/helm.md", "Try it")
    def test_…(guide: Typist) -> None:
        guide.type("kubectl create namespace")
"""

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

import pytest

from tests.cluster.exemptions import exempt
from tests.cluster.guide import Command, commands
from tests.cluster.shell import Foreground, Shell

MARK: Final = "types"
_REPLACED: Final = re.compile(r"[A-Z]+|https://\S+")


class Typist:
    """Of one test.

    Attributes:
        shell: Where it types.
    """

    def __init__(self, shell: Shell, claims: Iterable[Sequence[str]]) -> None:
        self.shell = shell
        self._left = [
            [one for one in commands(*claim) if not exempt(one)]
            for claim in claims  # each in its own order
        ]

    def type(self, beginning: str, **given: str) -> str:
        """Type the command that begins so; what it printed.

        Args:
            beginning: Of the next command of a block, or of any within a line of text.
            given: What stands for a word in capitals.

        Raises:
            shell.Failed: It ended with an error.
        """
        return self.shell.run(self._take(beginning, given))

    @contextmanager
    def begin(self, beginning: str, words: str, **given: str) -> Iterator[Foreground]:
        """Type one that goes on in a terminal of its own until the block ends, and says this."""
        with self.shell.begin(self._take(beginning, given)) as foreground:
            foreground.wait_for(words)
            yield foreground

    def type_from(self, beginning: str, url: str, file: str) -> str:
        """Type one that takes something from another's site with what is there as a file."""
        return self.shell.run(self._take(beginning, {url: file}))

    def shown(self, beginning: str) -> str:
        """What the document shows as the answer of a command that is still to be typed."""
        return self._next(beginning).shown

    def finished(self) -> None:
        """Nothing of the claim is left."""
        left = [f"{one.page}:{one.line}: {one.text}" for page in self._left for one in page]
        assert not left, f"claimed, and not typed: {left}"

    def _take(self, beginning: str, given: Mapping[str, str]) -> str:
        command = self._next(beginning)
        for page in self._left:
            for one in [one for one in _turn(page) if _words(one) == _words(command)][:1]:
                page.remove(one)
        text = command.text
        for word, value in given.items():
            assert _REPLACED.fullmatch(word), f"{word} is the document's, not the reader's"
            text, *rest = re.split(rf"(?<!\w){re.escape(word)}(?!\w)", text)
            assert rest, f"no {word} in {command.text}"
            text = value.join((text, *rest))
        return text

    def _next(self, beginning: str) -> Command:
        turn = [one for page in self._left for one in _turn(page)]
        for one in turn:
            if one.text.startswith(beginning):
                return one
        raise AssertionError(f"not {beginning!r} is to be typed now, but one of {turn}")


def _turn(page: Sequence[Command]) -> Iterator[Command]:
    """Whose turn it is: the next of the blocks, and all those within a line of text."""
    waiting = False
    for one in page:
        if one.within or not waiting:
            yield one
        waiting |= not one.within


def _words(command: Command) -> list[str]:
    """What a shell makes of it, by which two are alike whatever is written behind `#`."""
    return shlex.split(command.text, comments=True)


@contextmanager
def typing(request: pytest.FixtureRequest, shell: Shell) -> Iterator[Typist]:
    """The typist of a test's marks, who must have typed everything when the block ends."""
    claims = [mark.args for mark in request.node.iter_markers(MARK)]
    assert claims, "the test says of nothing that it types it"
    typist = Typist(shell, claims)
    yield typist
    typist.finished()
