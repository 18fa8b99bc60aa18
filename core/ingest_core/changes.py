"""Tell readers where to look again, merged while they do not ask.

A reader holds at most one set of names: bounded by the names there are, nothing is dropped, and
what was told twice is told once. What changed is for the reader to look up.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager


class _Reader:
    def __init__(self, names: Iterable[str], *, ready: bool) -> None:
        self._names = set(names)
        self._news = asyncio.Event()
        if ready:
            self._news.set()

    def add(self, names: Iterable[str]) -> None:
        self._names.update(names)
        self._news.set()

    async def items(self) -> AsyncIterator[AbstractSet[str]]:
        while True:
            await self._news.wait()
            self._news.clear()
            names, self._names = frozenset(self._names), set()
            yield names


class Changes:
    """One writer, any number of readers, on one event loop."""

    def __init__(self) -> None:
        self._readers: set[_Reader] = set()

    def tell(self, names: AbstractSet[str]) -> None:
        """Names to look at again; an empty set wakes those who wait for the first one."""
        for reader in self._readers:
            reader.add(names)

    @asynccontextmanager
    async def read(
        self, names: Iterable[str], *, ready: bool
    ) -> AsyncIterator[AsyncIterator[AbstractSet[str]]]:
        """Sets of names, for as long as the block lasts.

        Args:
            names: The first set: every name there is.
            ready: Give it at once (the registry has been read whole), or at the next `tell`.
        """
        reader = _Reader(names, ready=ready)
        self._readers.add(reader)
        try:
            yield reader.items()
        finally:
            self._readers.discard(reader)
