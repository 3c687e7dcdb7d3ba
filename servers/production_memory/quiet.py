"""When the jobs may run: between turns, for they use the cores that turns are answered with."""

import asyncio
import time
from collections.abc import Callable

STILL_SECONDS = 0.3
PATIENCE_SECONDS = 20.0


class Quiet:
    """Jobs wait until no turn has begun or ended here for `still` seconds, but no longer than
    `patience` seconds: where it is never quiet, a batch is done now and then all the same."""

    def __init__(
        self,
        still: float = STILL_SECONDS,
        patience: float = PATIENCE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._still = still
        self._patience = patience
        self._clock = clock
        self._last = float("-inf")

    def disturb(self) -> None:
        """A turn begins or ends."""
        self._last = self._clock()

    def missing(self, since: float) -> float:
        """Seconds until a job that has waited since then may run, as far as is known now."""
        now = self._clock()
        return max(0.0, min(self._last + self._still, since + self._patience) - now)

    async def come(self) -> None:
        """Returns when a job may run."""
        since = self._clock()
        while (seconds := self.missing(since)) > 0:  # noqa: ASYNC110  # time is what is waited for
            await asyncio.sleep(seconds)
