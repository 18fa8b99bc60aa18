"""The worker under measurement, as its parent sees it."""

import contextlib
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence

from bench.processes import BenchError, Child, python, running
from bench.working import Seen

_POLL_SECONDS = 0.25


class Working:
    """A worker in a process of its own; see bench.working."""

    def __init__(self, process: Child) -> None:
        self.process = process
        self.cameras = 0
        self.shown: defaultdict[str, list[float]] = defaultdict(list)
        """When each frame of a camera was shown, its first one first; Unix seconds."""

    def add(self, urls: Sequence[str]) -> None:
        self.cameras += len(urls)
        self._ask(urls)

    def look(self) -> Seen:
        """What it saw since the last look."""
        return self._ask([])

    def _ask(self, urls: Sequence[str]) -> Seen:
        seen = self.process.ask(urls, Seen)
        for name, times in seen.shown.items():
            self.shown[name] += times
        return seen

    def await_connected(self, seconds: float = 60.0) -> Seen:
        """Wait until every camera is connected; the last look.

        Raises:
            BenchError: They are not, in time.
        """
        deadline = time.monotonic() + seconds
        while len((seen := self.look()).connected) < self.cameras:
            if time.monotonic() > deadline:
                raise BenchError(f"{len(seen.connected)} of {self.cameras} cameras are connected")
            time.sleep(_POLL_SECONDS)
        return seen


@contextlib.contextmanager
def working(*, core: int | None = None, redis_url: str | None = None) -> Iterator[Working]:
    """A worker without a camera yet."""
    command = python("bench.working", *(("--redis", redis_url) if redis_url else ()))
    with running(command, core=core, quiet=False) as process:
        yield Working(process)
