"""How fast one socket may go. Pure."""

from collections import deque


class Pace:
    """At most `most` of something in any `seconds`."""

    def __init__(self, most: int, seconds: float) -> None:
        self._most = most
        self._seconds = seconds
        self._times: deque[float] | None = None

    def kept(self, now: float) -> bool:
        """Counts one, at `now` in seconds of any clock; false if that is one too many."""
        if self._times is None:
            self._times = deque(maxlen=self._most)
        times = self._times
        too_many = len(times) == self._most and now - times[0] < self._seconds
        times.append(now)
        return not too_many
