"""How long a server that ended is left alone before the next start. Pure."""

from collections.abc import Callable

FIRST = 0.5
LONGEST = 60.0
WELL = 30.0
"""A server that lived so long starts anew with the first wait."""

Uniform = Callable[[float, float], float]


class Backoff:
    """Waits that double from start to start up to the longest. Half of a wait is by chance, so that
    servers that died together do not start together. Seconds."""

    def __init__(self, uniform: Uniform, first: float = FIRST, longest: float = LONGEST) -> None:
        self._uniform = uniform
        self._first = first
        self._longest = longest
        self._failures = 0

    def wait(self, lived: float) -> float:
        """How long to wait after a connection that lived so long; 0 seconds is one that never
        came about."""
        self._failures = 0 if lived >= WELL else self._failures
        bound = min(self._longest, self._first * 2.0 ** min(self._failures, 30))
        self._failures += 1
        return self._uniform(bound / 2, bound)
