"""Decide how long to leave a camera alone after a failure. Pure: chance comes in as an argument.

Exponential with full jitter (Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog,
2015), a curve for each class of failure, forgotten only after a session stayed healthy for a while:
a camera that connects and dies at once must not be hammered.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final

from ingest_core.errors import Failure

HEALTHY_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Curve:
    """A delay in seconds: drawn below a ceiling that doubles from `first` to `last`.

    `floor` is never undercut: some cameras lock an address out after failed logins, and a busy one
    needs its old session's timeout.
    """

    first: float
    last: float
    floor: float = 0.0


_NETWORK: Final = Curve(1, 30)
_REFUSED: Final = Curve(5, 60)
_BUSY: Final = Curve(10, 60, floor=5)
_LOGIN: Final = Curve(30, 600, floor=30)

CURVES: Final[Mapping[Failure, Curve]] = MappingProxyType(
    {
        Failure.UNREACHABLE: _NETWORK,
        Failure.STALLED: _NETWORK,
        Failure.CRASHED: _NETWORK,
        Failure.LEASE_EXPIRED: _NETWORK,
        Failure.DECODE_FAILED: _REFUSED,
        Failure.NOT_FOUND: _REFUSED,
        Failure.UNSUPPORTED_STREAM: _REFUSED,
        Failure.CAMERA_BUSY: _BUSY,
        Failure.AUTHENTICATION_FAILED: _LOGIN,
        Failure.CREDENTIALS_MISSING: _LOGIN,
    }
)


@dataclass(frozen=True, slots=True)
class Backoff:
    """How often each class of failure came since the last healthy session."""

    counts: Mapping[Failure, int] = field(default_factory=lambda: MappingProxyType({}))
    last: Failure | None = None

    def failed(self, failure: Failure, uptime: float) -> "Backoff":
        """Count a failure after a session that brought frames for `uptime` seconds."""
        counts = {} if uptime >= HEALTHY_SECONDS else dict(self.counts)
        counts[failure] = counts.get(failure, 0) + 1
        return replace(self, counts=MappingProxyType(counts), last=failure)

    @property
    def failures(self) -> int:
        """Failures since the last healthy session, of every class."""
        return sum(self.counts.values())

    def delay(self, draw: float) -> float:
        """Seconds to wait.

        Args:
            draw: A number of [0, 1), evenly distributed.
        """
        if self.last is None:
            return 0.0
        curve = CURVES[self.last]
        doublings = min(self.counts[self.last] - 1, 30)
        ceiling = min(curve.last, curve.first * float(1 << doublings))
        return max(curve.floor, draw * ceiling)
