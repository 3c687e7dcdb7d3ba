"""How long to wait after wrong passwords.

The first few are free. Then each attempt makes the next one wait, twice as long each time, never
longer than half a minute; so a guesser gets some 2,900 guesses a day at one name, while its owner
waits half a minute at most. See docs/decisions/sign-in-delays.md. Pure.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

FREE_ATTEMPTS = 5
LONGEST_SECONDS = 30.0
FORGOTTEN_SECONDS = 900
"""An attempt counts for so long after the last one."""

_KEPT_NAMES = 10_000


def delay_after(attempts: int) -> float:
    """Seconds that the attempt after this one has to wait; `attempts` includes this one."""
    beyond = attempts - FREE_ATTEMPTS
    return 0.0 if beyond <= 0 else min(2.0 ** min(beyond - 1, 10), LONGEST_SECONDS)


@dataclass
class _Attempts:
    count: int
    last: float
    closed_until: float


class ProcessLockout:
    """The attempts that this process has seen; stands in while Redis is away."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """`clock` gives seconds that only grow."""
        self._clock = clock
        self._names: OrderedDict[str, _Attempts] = OrderedDict()

    def begin(self, name: str) -> float:
        """Counts an attempt before its password is looked at; gives the seconds to wait if it is
        too early, else 0."""
        now = self._clock()
        seen = self._names.get(name)
        if seen is None or now - seen.last > FORGOTTEN_SECONDS:
            seen = self._names[name] = _Attempts(0, now, 0.0)
        self._names.move_to_end(name)
        if len(self._names) > _KEPT_NAMES:
            self._names.popitem(last=False)
        if seen.closed_until > now:
            return seen.closed_until - now
        seen.count, seen.last = seen.count + 1, now
        seen.closed_until = now + delay_after(seen.count)
        return 0.0

    def succeeded(self, name: str) -> None:
        """Forgets a name whose owner came in."""
        self._names.pop(name, None)
