"""How many may wait for one worker at once. Pure but for its own counts.

A worker that hangs would otherwise gather every request that names it. One that failed a few times
in a row is tried by one request at a time until it answers again; the others are told at once.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from ingest_core.errors import WorkerBusy, WorkerFailed

WAITING: Final = 64  # requests whose answer has not begun, of one worker
FAILURES: Final = 3  # in a row, after which it is tried by one request at a time


@dataclass(slots=True)
class _Worker:
    waiting: int = 0
    failures: int = 0


class Places:
    """Counts by worker; of those that nobody waits for, only those that failed are remembered."""

    def __init__(self) -> None:
        self._workers: dict[str, _Worker] = {}

    @contextmanager
    def place(self, name: str) -> Iterator[None]:
        """Wait for a worker within the block; a WorkerFailed that leaves it counts against it.

        Raises:
            WorkerBusy: So many wait already.
        """
        worker = self._workers.setdefault(name, _Worker())
        if worker.waiting >= (WAITING if worker.failures < FAILURES else 1):
            why = "has failed, and is being tried" if worker.failures else "has too much to do"
            raise WorkerBusy(f"worker {name!r} {why}")
        worker.waiting += 1
        try:
            yield
            worker.failures = 0
        except WorkerFailed:
            worker.failures += 1
            raise
        finally:
            worker.waiting -= 1
            if not worker.waiting and not worker.failures:
                del self._workers[name]
