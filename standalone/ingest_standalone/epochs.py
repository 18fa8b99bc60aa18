"""Epochs that never fall, restarts included: a mark on disk, written before it is used."""

import contextlib
from typing import Final

from ingest_core.errors import RegistryUnavailable
from ingest_standalone.disk import PUBLIC, Disk

FILE: Final = ".epoch"


class Epochs:
    """Numbers from 1; each is given once."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._last: int | None = None
        self._reserved = False

    def reserve(self) -> None:
        """Make sure that the next `take` needs no disk. Blocks.

        Raises:
            RegistryUnavailable: The file holds something else.
            OSError: It cannot be read or written; no number was used up.
        """
        if not self._reserved:
            last = self._read() if self._last is None else self._last
            self._disk.write(FILE, f"{last + 1}\n".encode(), PUBLIC)
            self._last = last + 1
            self._reserved = True

    def take(self) -> int:
        """The next one. Blocks and raises as `reserve` does."""
        self.reserve()
        assert self._last is not None  # it was reserved
        self._reserved = False
        return self._last

    def _read(self) -> int:
        with contextlib.suppress(FileNotFoundError):
            text = self._disk.read(FILE).data.strip()
            if not (text.isdigit() and len(text) < 19):  # noqa: PLR2004 - 63 bits
                where = self._disk.path / FILE
                raise RegistryUnavailable(f"{where} must hold the last epoch, a whole number")
            return int(text)
        return 0
