"""The queue of jobs: pgqueuer's, in this server's schema."""

import asyncio
from collections.abc import Sequence
from typing import Protocol, cast

import asyncpg
from pgqueuer.adapters.drivers.asyncpg import AsyncpgDriver
from pgqueuer.adapters.persistence.queries import Queries

from servers.runtime.call import current
from servers.runtime.postgres import Connection


class Job(Protocol):
    """A kind of job and what it says."""

    @property
    def entrypoint(self) -> str:
        """The kind, by which workers find it."""

    def payload(self) -> bytes:
        """The job as the queue keeps it; no content of users."""


class Jobs:
    """Puts jobs into the queue inside the caller's transaction, and wakes the workers of this
    process once it is committed. Workers of other processes look now and then."""

    def __init__(self) -> None:
        self._woken: dict[str, asyncio.Event] = {}

    async def enqueue(self, connection: Connection, *jobs: Job, places: Sequence[int] = ()) -> None:
        """Adds jobs with one statement: they exist if the transaction commits. With places, what
        stands at the second waits for all that stand at the first, whoever's they are: so the
        beginnings of all files come before the end of a large one."""
        queue = Queries(AsyncpgDriver(cast(asyncpg.Connection, connection)))
        headers = {"correlation_id": current().correlation_id}
        await queue.enqueue(
            [job.entrypoint for job in jobs],
            [job.payload() for job in jobs],
            [-place for place in places] or [0] * len(jobs),
            headers=[headers] * len(jobs),
        )

    def wake(self) -> None:
        """Says that there are jobs; to be called after the commit."""
        for woken in self._woken.values():
            woken.set()

    async def woken(self, worker: str, patience: float) -> None:
        """Returns when there are jobs, or after `patience` seconds, for the worker of that name."""
        event = self._woken.setdefault(worker, asyncio.Event())
        try:
            async with asyncio.timeout(patience):
                await event.wait()
        except TimeoutError:
            return
        finally:
            event.clear()
