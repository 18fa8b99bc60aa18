"""Notice which files changed, without reading half of what somebody is still writing.

A file is read once it looked the same twice, and gone once it was missing twice: an editor that
moves the old file away before it writes the new one removes no camera. A file that was read within
two seconds of its change is read again, for a second change in the same tick of the clock would not
show. What we wrote ourselves is whole, and read at once.
"""

import hashlib
import traceback
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Final

import structlog

from ingest_standalone.disk import Disk, Signature
from ingest_standalone.manifest_files import Content, read, unreadable

_SETTLED_NS: Final = 2_000_000_000

log: structlog.stdlib.BoundLogger = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Known:
    """A file as it was seen last; `read` is None until it was read in this shape."""

    signature: Signature | None
    read: Signature | None = None
    settled: bool = False


class Watch:
    """Remembers the looks at one directory, and what its files say. Used from one thread."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._known: dict[str, _Known] = {}
        self._contents: dict[str, Content] = {}

    def look(self, now_ns: int, sure: AbstractSet[str] | None) -> dict[str, Content]:
        """What each file says now; of a file that did not change, the same object as before.

        Args:
            now_ns: Wall clock, as the files' times.
            sure: Files to believe at the first look; None: all.

        Raises:
            OSError: The directory cannot be listed; nothing is forgotten.
        """
        listed = self._disk.listed()
        for file in self._known.keys() - listed.keys():
            if self._known[file].signature is None or _believed(file, sure):
                del self._known[file]
                self._contents.pop(file, None)
            else:
                self._known[file] = replace(self._known[file], signature=None)
        for file, signature in listed.items():
            known = self._known.get(file, _Known(None))
            if known.signature != signature and not _believed(file, sure):
                self._known[file] = replace(known, signature=signature)
            elif known.read != signature or not known.settled:
                settled = abs(now_ns - signature.modified) > _SETTLED_NS
                self._known[file] = _Known(signature, signature, settled)
                self._take(file)
        return dict(self._contents)

    def _take(self, file: str) -> None:
        content, before = self._read(file), self._contents.get(file)
        if before is None or content.digest != before.digest:
            self._contents[file] = content.keeping(before)

    def _read(self, file: str) -> Content:
        name = file.encode(errors="replace").decode()
        try:
            found = self._disk.read(file)
        except OSError as error:
            reason = f"cannot be read: {error.strerror or error}"
            return replace(unreadable(name, reason), digest=reason.encode())
        seen = f"{found.exposed}\n".encode() + found.data
        digest = hashlib.sha256(seen).digest()
        try:
            return read(name, found.data, exposed=found.exposed, digest=digest)
        except Exception as error:  # noqa: BLE001 - a bug over one file must not hide the others
            # Without the error's own words: they may quote the file.
            where = "".join(traceback.format_tb(error.__traceback__))
            log.error("manifest_unread", file=name, error=type(error).__name__, traceback=where)  # noqa: TRY400 - see above
            return replace(unreadable(name, "cannot be read: see the log"), digest=digest)


def _believed(file: str, sure: AbstractSet[str] | None) -> bool:
    return sure is None or file in sure
