"""What the API server refused, and how long each of it rests. Pure: the clock is an argument.

A refusal may be for good (an admission policy, a quota, a Role) or for now, and nobody tells which.
So each object rests by itself, ever longer, and holds nobody up; and it is tried at once when it,
or what is asked of it, is another one.
"""

from collections.abc import Collection, Hashable
from dataclasses import dataclass, replace
from math import inf
from typing import Final, Generic, TypeVar

FIRST_SECONDS: Final = 1.0
LAST_SECONDS: Final = 60.0
_DOUBLINGS: Final = 6  # of the first, until it is past the last

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, slots=True)
class _Refusal:
    state: object
    count: int
    until: float


class Refusals(Generic[Key]):
    """Owner of what is known of refusals. As much as is asked for: see `keep`."""

    def __init__(self) -> None:
        self._refused: dict[Key, _Refusal] = {}

    def __len__(self) -> int:
        return len(self._refused)

    def keep(self, asked: Collection[Key]) -> None:
        """Forget all that is not asked for any more."""
        if self._refused:
            kept = self._refused.keys() & asked
            self._refused = {key: self._refused[key] for key in kept}

    def rests(self, key: Key, state: object, now: float) -> bool:
        """Is it too early to try an object in this state once more?"""
        known = self._refused.get(key)
        return known is not None and known.state == state and now < known.until

    def refused(self, key: Key, state: object, now: float) -> None:
        """It was tried in this state, in vain: it rests twice as long as after the last time."""
        known = self._refused.get(key)
        count = known.count if known is not None and known.state == state else 0
        pause = min(LAST_SECONDS, FIRST_SECONDS * 2.0**count)
        self._refused[key] = _Refusal(state, min(count + 1, _DOUBLINGS), now + pause)

    def passed(self, key: Key, now: float) -> None:
        """It was tried, and done. What refused it may refuse the others no more: each has a try."""
        if self._refused.pop(key, None) is not None:
            self._refused = {
                other: replace(known, until=now) for other, known in self._refused.items()
            }

    def next(self, now: float) -> float:
        """When something has rested; infinite: nothing rests."""
        return min((one.until for one in self._refused.values() if one.until > now), default=inf)
