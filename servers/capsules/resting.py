"""Circuit breakers of capsules: one that failed so often in a row rests before it is tried again.

What counts is the capsule's own failure: not a refusal, not what a model or a tool did not do.
"""

from collections.abc import Callable

from prometheus_client import Gauge

from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.breaker import Breaker, State
from servers.runtime.errors import Unavailable
from servers.runtime.labelled import labelled

FAILURES = 5
REST_SECONDS = 60.0

BREAKER = Gauge("kari_capsule_breaker", "0 closed, 1 half open, 2 open: it rests.", ("capsule_id",))


class Resting:
    """The breakers, by capsule. `clock` is in seconds."""

    def __init__(
        self, clock: Callable[[], float], failures: int = FAILURES, seconds: float = REST_SECONDS
    ) -> None:
        self._clock = clock
        self._failures = failures
        self._seconds = seconds
        self._breakers: dict[str, Breaker] = {}

    def admit(self, capsule_id: str) -> None:
        """Unavailable while it rests. Who was admitted tells how it went."""
        if not self._of(capsule_id).admit():
            raise Unavailable(
                Reason.REASON_CAPSULE_RESTING,
                f"the capsule failed {self._failures} times in a row and rests; try again in "
                f"{self._seconds:g} s",
                retry_after=self._seconds,
            )

    def tell(self, capsule_id: str, done: bool, *, own: bool) -> None:
        """How a run went; `own` is whether a failure was the capsule's."""
        breaker = self._of(capsule_id)
        if done:
            breaker.answered()
        elif own:
            breaker.failed()
        else:
            breaker.abandoned()
        labelled(BREAKER, capsule_id).set(breaker.state)

    def learned_nothing(self, capsule_id: str) -> None:
        """It did not come to a run."""
        self._of(capsule_id).abandoned()

    def changed(self, capsule_id: str) -> None:
        """It is another one by now: what it failed before does not count."""
        if self._breakers.pop(capsule_id, None) is not None:
            labelled(BREAKER, capsule_id).set(State.CLOSED)

    def _of(self, capsule_id: str) -> Breaker:
        if capsule_id not in self._breakers:
            self._breakers[capsule_id] = Breaker(self._failures, self._seconds, self._clock)
        return self._breakers[capsule_id]
