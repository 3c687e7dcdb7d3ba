"""Whose turn it is: a job has its seconds from its turn on, and within the call it is for."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from kari.errors.v1.errors_pb2 import Reason
from servers.multimedia.jobs import Jobs, Queue
from servers.multimedia.lane import Busy
from servers.runtime.call import current
from servers.runtime.errors import RateLimited

SHORTEST_SECONDS = 1.0
"""For a job, or its turn, in a call that leaves less."""
RETRY_SECONDS = 5.0


@dataclass(frozen=True)
class Turn:
    """A job that has to wait for its turn: in which queue, the seconds that it may take, those
    without which it is not begun while there is a choice, and those of the call that are left
    behind it."""

    queue: Queue
    most: float
    least: float
    margin: float


@asynccontextmanager
async def taken(jobs: Jobs, turn: Turn) -> AsyncIterator[float]:
    """A place for a job, and how many seconds it has: RateLimited rather than one that would be
    cut because others came first."""
    left = left_of_call(turn.margin)
    patience = None if left is None else max(SHORTEST_SECONDS, left - turn.least)
    try:
        async with jobs.place(patience, turn.queue):
            left = left_of_call(turn.margin)
            yield turn.most if left is None else max(SHORTEST_SECONDS, min(turn.most, left))
    except Busy as busy:
        raise RateLimited(
            Reason.REASON_MEDIA_BUSY,
            "other images and recordings are read first; try again in a while",
            retry_after=RETRY_SECONDS,
        ) from busy


def left_of_call(margin: float) -> float | None:
    """Seconds of the call less those of the margin; None if it has no end."""
    remaining = current().remaining()
    return None if remaining is None else max(0.0, remaining - margin)
