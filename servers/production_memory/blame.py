"""Which job is to blame if one fails with an error that may pass. Pure.

While a store is away every job fails and none is to blame. One that fails while others are done is.
"""

from collections.abc import Collection

MOST_REMEMBERED = 1000


class Blame:
    """What one worker has seen of jobs, by their numbers."""

    def __init__(self) -> None:
        self._done = 0
        self._done_by_then: dict[int, int] = {}

    def done(self, jobs: Collection[int]) -> None:
        """These are done."""
        self._done += len(jobs)
        for job in jobs:
            self._done_by_then.pop(job, None)

    def failed(self, job: int) -> bool:
        """This one failed by itself. Whether it is to blame: others were done since it failed
        before."""
        before = self._done_by_then.pop(job, self._done)
        self._done_by_then[job] = self._done
        if len(self._done_by_then) > MOST_REMEMBERED:
            self._done_by_then.pop(next(iter(self._done_by_then)))
        return before < self._done
