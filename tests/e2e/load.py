"""Clients of a gateway, each asking again and again at a bounded rate, and what became of it."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from urllib3 import BaseHTTPResponse
from urllib3.exceptions import HTTPError

PAUSE: Final = 0.2  # s from one request of a client to its next


@dataclass(frozen=True, slots=True)
class Asked:
    """One request and what became of it.

    Attributes:
        at: When it began, Unix seconds.
        status: Of the answer; 0: there was none.
        said: The answer's body where it is no success, or why there was none.
    """

    at: float
    status: int
    said: str = ""


@dataclass(slots=True)
class Client:
    """One that repeats one request, in a thread of its own."""

    ask: Callable[[], BaseHTTPResponse]
    asked: list[Asked] = field(default_factory=list)

    def run(self, stopped: threading.Event) -> None:
        while not stopped.wait(PAUSE):
            self.asked.append(self._once())

    def _once(self) -> Asked:
        at = time.time()
        try:
            answer = self.ask()
        except HTTPError as error:
            return Asked(at, 0, repr(error))
        done = answer.status < 300
        return Asked(at, answer.status, "" if done else answer.data[:500].decode(errors="replace"))


@contextmanager
def clients(*asks: Callable[[], BaseHTTPResponse]) -> Iterator[Sequence[Client]]:
    """One client for each request, until the block ends; then every answer is in."""
    found = [Client(ask) for ask in asks]
    stopped = threading.Event()
    threads = [threading.Thread(target=one.run, args=(stopped,)) for one in found]
    for thread in threads:
        thread.start()
    try:
        yield found
    finally:
        stopped.set()
        for thread in threads:
            thread.join()
