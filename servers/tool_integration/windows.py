"""Calls within the last minute and the last hour, counted in this process. Pure."""

from collections import OrderedDict, deque

MINUTE, HOUR = 60.0, 3600.0
MOST_KEYS = 10_000
"""Users and tools that are remembered; who called longest ago is forgotten first."""


class Windows:
    """Times of calls, by key; in seconds of the caller's clock."""

    def __init__(self) -> None:
        self._calls: OrderedDict[str, deque[float]] = OrderedDict()

    def take(self, key: str, now: float, minute: int, hour: int) -> tuple[float, float]:
        """(0, 0) if a call is within the limits (0 is none), and counts it; else the window in
        seconds that is full, and the seconds until there is room."""
        calls = self._calls.setdefault(key, deque())
        self._calls.move_to_end(key)
        while calls and calls[0] <= now - HOUR:
            calls.popleft()
        for length, most in ((MINUTE, minute), (HOUR, hour)):
            if most and len(calls) >= most and calls[-most] > now - length:
                return length, calls[-most] + length - now
        calls.append(now)
        if len(self._calls) > MOST_KEYS:
            self._calls.popitem(last=False)
        return 0.0, 0.0
