"""A token bucket: so much at once, and then so much a second. Pure: the time is an argument."""


class Bucket:
    """As the virtual scheduling of GCRA (ITU-T I.371): one number instead of a level and a time.

    Args:
        rate: Tokens a second that come in.
        burst: Tokens that it holds.
    """

    def __init__(self, rate: float, burst: int) -> None:
        self._interval = 1 / rate
        self._depth = burst / rate
        self._due = float("-inf")  # when it would be full, if nothing more was taken

    def wait(self, now: float) -> float:
        """Seconds until there is a token."""
        return max(0.0, self._due + self._interval - self._depth - now)

    def take(self, now: float) -> None:
        """Take one that is there; or one of the future."""
        self._due = max(self._due, now) + self._interval
