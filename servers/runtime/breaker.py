"""Circuit breaker of something that may fail, such as a provider; its clock is given.

After so many failures in a row nobody asks it for a while; then one caller tries, and the
outcome of that try decides. Pure.
"""

from collections.abc import Callable, Mapping
from enum import IntEnum


class State(IntEnum):
    """What the breaker does with callers; the numbers are those of the metric."""

    CLOSED = 0
    HALF_OPEN = 1
    OPEN = 2


class Event(IntEnum):
    """What changes the state."""

    TRIPPED = 0
    COOLED = 1
    ANSWERED = 2
    FAILED = 3


TRANSITIONS: Mapping[tuple[State, Event], State] = {
    (State.CLOSED, Event.TRIPPED): State.OPEN,
    (State.OPEN, Event.COOLED): State.HALF_OPEN,
    (State.HALF_OPEN, Event.ANSWERED): State.CLOSED,
    (State.HALF_OPEN, Event.FAILED): State.OPEN,
}
"""Every change there is; anything else leaves the state as it is."""


class Breaker:
    """The breaker of one such thing: opens after `failures` failures in a row, for `cooldown`
    seconds."""

    def __init__(self, failures: int, cooldown: float, clock: Callable[[], float]) -> None:
        self._limit = failures
        self._cooldown = cooldown
        self._clock = clock
        self._state = State.CLOSED
        self._failures = 0
        self._opened = 0.0
        self._trying = False

    @property
    def state(self) -> State:
        """The state now; an open breaker is half open once its time is over."""
        if self._state is State.OPEN and self._clock() - self._opened >= self._cooldown:
            self._move(Event.COOLED)
        return self._state

    def admit(self) -> bool:
        """Whether it may be asked. While half open, one caller at a time may; each that
        was admitted tells how it went: `answered`, `failed` or `abandoned`."""
        state = self.state
        if state is State.HALF_OPEN and not self._trying:
            self._trying = True
            return True
        return state is State.CLOSED

    def began(self) -> None:
        """It sent something: a try is over, though only a complete answer clears the
        count of failures."""
        if self._state is State.HALF_OPEN:
            self._failures = self._limit - 1
        self._move(Event.ANSWERED)

    def answered(self) -> None:
        """It completed an answer."""
        self._move(Event.ANSWERED)
        self._failures = 0

    def failed(self) -> None:
        """It failed."""
        self._failures += 1
        self._move(Event.FAILED)
        if self._failures >= self._limit:
            self._move(Event.TRIPPED)

    def abandoned(self) -> None:
        """The caller went away, or the failure was not its own: nothing was learned."""
        self._trying = False

    def _move(self, event: Event) -> None:
        self._trying = False
        after = TRANSITIONS.get((self._state, event), self._state)
        if after is State.OPEN and self._state is not State.OPEN:
            self._opened = self._clock()
        self._state = after
