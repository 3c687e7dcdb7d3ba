"""Turns that users have just started here: whoever starts one may follow it."""

import time
from collections import OrderedDict
from collections.abc import Callable

from servers.runtime.call import Principal

KEPT_SECONDS = 60.0
MOST = 10_000


class Admitted:
    """Spares the question whether a turn is the caller's for those that begin to follow at once, as
    nearly all do. A turn that is not known here is asked for."""

    def __init__(self, *, most: int = MOST, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._until: OrderedDict[tuple[str, str, str], float] = OrderedDict()

    def add(self, who: Principal, turn_id: str) -> None:
        """Notes that a user has started a turn."""
        self._until[_key(who, turn_id)] = self._clock() + KEPT_SECONDS
        if len(self._until) > self._most:
            self._until.popitem(last=False)

    def has(self, who: Principal, turn_id: str) -> bool:
        """Whether the user has started the turn, a moment ago and here."""
        return self._until.get(_key(who, turn_id), 0.0) > self._clock()


def _key(who: Principal, turn_id: str) -> tuple[str, str, str]:
    return who.tenant_id, who.user_id, turn_id
