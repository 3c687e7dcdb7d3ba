"""Counting by one process alone. Pure."""

from collections.abc import Sequence

from gateway.window import Window

KEPT = 10_000


class Tally:
    """Counts by key and window; the oldest keys are forgotten first."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, int], int] = {}

    def count(self, counted: Sequence[tuple[str, Window]], now: float) -> list[float]:
        """Counts one event under each key and gives the seconds to wait by each window; an event
        that any window refuses does not count."""
        waits = [self._wait(key, window, now) for key, window in counted]
        if not any(waits):
            for key, window in counted:
                self._add(key, window.index(now))
        return waits

    def _wait(self, key: str, window: Window, now: float) -> float:
        index = window.index(now)
        before = self._counts.get((key, index - 1), 0)
        return window.wait(before, self._counts.get((key, index), 0) + 1, now)

    def _add(self, key: str, index: int) -> None:
        self._counts[key, index] = self._counts.get((key, index), 0) + 1
        if len(self._counts) > KEPT:
            del self._counts[next(iter(self._counts))]
