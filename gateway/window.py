"""Sliding windows: how much is too much.

Two counters a window stand for a log of every event: what happened in the window before counts as
far as the sliding minute still covers it (the "sliding window counter" of Cloudflare's and Kong's
rate limiting). Never more than `limit` in any window if events come evenly; a burst at a border is
let through at most once. Pure.
"""

from dataclasses import dataclass
from math import floor


@dataclass(frozen=True, slots=True)
class Window:
    """`limit` events in `seconds`; `name` is what clients are told."""

    limit: int
    seconds: float
    name: str

    def index(self, now: float) -> int:
        """Number of the window that `now` lies in."""
        return floor(now / self.seconds)

    def wait(self, before: int, current: int, now: float) -> float:
        """Seconds until the last of `current` events fits; 0 if it does. `before` is the count of
        the window before, `current` of this one with the event in question."""
        passed = now % self.seconds
        if before * (1 - passed / self.seconds) + current <= self.limit:
            return 0.0
        if current > self.limit:
            # Nothing of this window can be forgotten before the next one has begun.
            faded = 1 - (self.limit - 1) / (current - 1)
            return self.seconds - passed + self.seconds * faded
        needed = self.seconds * (1 - (self.limit - current) / before)
        return max(needed - passed, 0.001)
