"""How fast one socket may go. Pure."""

from collections import deque


class Pace:
    """At most `most` of something in any `seconds`."""

    def __init__(self, most: int, seconds: float) -> None:
        self._times: deque[float] = deque(maxlen=most)
        self._seconds = seconds

    def kept(self, now: float) -> bool:
        """Counts one, at `now` in seconds of any clock; false if that is one too many."""
        times = self._times
        too_many = len(times) == times.maxlen and now - times[0] < self._seconds
        times.append(now)
        return not too_many
