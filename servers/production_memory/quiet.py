"""When the jobs may run: between turns, for they use the cores that turns are answered with; and
where there is no between, for a share of the time."""

import asyncio
import time
from collections.abc import Callable

STILL_SECONDS = 0.3
SHARE = 1 / 12
SHORTEST_WAIT_SECONDS = 2.0
"""So that batches fill: one that is called for by a single turn costs as much as a full one."""
LONGEST_WAIT_SECONDS = 20.0


class Quiet:
    """Jobs wait until no turn has begun or ended here for `still` seconds. Where it is never quiet
    they run for about a `share` of the time: how long they wait there follows from how long
    the last batch took, between `shortest` and `longest` seconds."""

    def __init__(
        self,
        still: float = STILL_SECONDS,
        share: float = SHARE,
        shortest: float = SHORTEST_WAIT_SECONDS,
        longest: float = LONGEST_WAIT_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._still = still
        self._share = share
        self._shortest = shortest
        self._longest = longest
        self._clock = clock
        self._last = float("-inf")

    def disturb(self) -> None:
        """A turn begins or ends."""
        self._last = self._clock()

    def missing(self, since: float, worked: float) -> float:
        """Seconds until a job that has waited since then may run, as far as is known now, if the
        batch before it took `worked` seconds."""
        now = self._clock()
        patience = max(self._shortest, min(self._longest, worked * (1 / self._share - 1)))
        return max(0.0, min(self._last + self._still, since + patience) - now)

    async def come(self, worked: float) -> None:
        """Returns when a job may run; the batch before it took `worked` seconds."""
        since = self._clock()
        while (seconds := self.missing(since, worked)) > 0:  # noqa: ASYNC110  # time is what is waited for
            await asyncio.sleep(seconds)
