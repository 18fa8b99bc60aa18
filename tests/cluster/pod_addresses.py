"""Addresses of loopback for the pods of one played namespace.

Promise: none has two pods at once, and one that was given is not given again soon.
"""

import itertools
from collections.abc import Iterable
from typing import Final

LAST: Final = range(2, 250)  # the last number of each


class PodAddresses:
    """Owner of which is next.

    Args:
        net: Its first three numbers, which all share.
    """

    def __init__(self, net: str) -> None:
        self._turn = itertools.cycle(f"{net}.{last}" for last in LAST)

    def free(self, used: Iterable[str]) -> str:
        """The next one that nobody uses.

        Raises:
            RuntimeError: All are in use.
        """
        taken = frozenset(used)
        for address in itertools.islice(self._turn, len(LAST)):
            if address not in taken:
                return address
        raise RuntimeError("no address is free")
