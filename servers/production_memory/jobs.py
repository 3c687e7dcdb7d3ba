"""The queue of jobs: pgqueuer's, in this server's schema."""

import asyncio
from typing import cast

import asyncpg
from pgqueuer.adapters.drivers.asyncpg import AsyncpgDriver
from pgqueuer.adapters.persistence.queries import Queries

from servers.production_memory.embed_job import EmbedJob
from servers.runtime.call import current
from servers.runtime.postgres import Connection

EMBED = "embed"


class Jobs:
    """Puts jobs into the queue inside the caller's transaction, and wakes the worker of this
    process once it is committed. Workers of other processes look now and then."""

    def __init__(self) -> None:
        self._woken = asyncio.Event()

    async def enqueue(self, connection: Connection, job: EmbedJob) -> None:
        """Adds a job: it exists if the transaction commits."""
        queue = Queries(AsyncpgDriver(cast(asyncpg.Connection, connection)))
        headers = {"correlation_id": current().correlation_id}
        await queue.enqueue(EMBED, job.payload(), headers=headers)

    def wake(self) -> None:
        """Says that there is a job; to be called after the commit."""
        self._woken.set()

    async def woken(self, patience: float) -> None:
        """Returns when there is a job, or after `patience` seconds."""
        try:
            async with asyncio.timeout(patience):
                await self._woken.wait()
        except TimeoutError:
            return
        finally:
            self._woken.clear()
