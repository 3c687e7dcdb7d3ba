"""Letting memories age: what is due is consolidated or archived, of every tenant, batch by
batch."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import groupby

import structlog
from asyncpg import Record

from servers.production_memory.jobs import Jobs
from servers.production_memory.tables import QUERIES as SHARED
from servers.production_memory.vault.fading import Trace, due_at, faded
from servers.production_memory.vault.memory import trace_of
from servers.production_memory.vault.memory_jobs import MemoryJob
from servers.production_memory.vault.metrics import FADED
from servers.production_memory.vault.tables import QUERIES
from servers.production_memory.vault.writing import utc_now
from servers.runtime.errors import KariError
from servers.runtime.labelled import labelled
from servers.runtime.postgres import AWAY, Connection, Database
from servers.runtime.resources import Resource

BATCH = 200
LOOK_SECONDS = 60.0

log = structlog.get_logger("kari.production_memory")


class Aging:
    """Several workers may do it at once: what one looks at is locked, and the others pass over
    it."""

    def __init__(
        self,
        database: Resource[Database],
        jobs: Jobs,
        clock: Callable[[], datetime] = utc_now,
        look_seconds: float = LOOK_SECONDS,
    ) -> None:
        self._database = database
        self._jobs = jobs
        self._clock = clock
        self._look_seconds = look_seconds

    async def run(self) -> None:
        """Looks now and then, for ever; a full batch is followed by the next one at once."""
        while True:
            try:
                if await self.step() == BATCH:
                    continue
            except (*AWAY, KariError) as error:
                log.warning("memories age later", error=type(error).__name__)
            await asyncio.sleep(self._look_seconds)

    async def step(self) -> int:
        """Ages a batch of what is due; gives how many were looked at."""
        database = await self._database.get()
        now = self._clock()
        async with database.across_tenants() as connection:
            due = await connection.fetch(QUERIES.memories_due, now, BATCH)
            due.sort(key=lambda row: (row["tenant_id"], row["id"]))
            for tenant_id, rows in groupby(due, lambda row: str(row["tenant_id"])):
                await self._age(connection, tenant_id, [row["id"] for row in rows], now)
        self._jobs.wake()
        return len(due)

    async def _age(
        self, connection: Connection, tenant_id: str, ids: Sequence[str], now: datetime
    ) -> None:
        """Under the memories' own tenant, like every other write."""
        await connection.execute(SHARED.enter_tenant, tenant_id)
        rows = await connection.fetch(QUERIES.traces_of, list(ids))
        aged = [(row, faded(trace_of(row), now)) for row in rows]
        await connection.execute(QUERIES.fade, *_columns(aged, now))
        consolidated = [row["id"] for row, trace in aged if trace.kind != row["kind"]]
        if consolidated:
            # The kind stands beside the vector.
            await self._jobs.enqueue(connection, MemoryJob(tenant_id, tuple(consolidated)))
        archived = sum(trace.archived and not row["archived"] for row, trace in aged)
        labelled(FADED, "consolidated").inc(len(consolidated))
        labelled(FADED, "archived").inc(archived)


def _columns(
    aged: Sequence[tuple[Record, Trace]], now: datetime
) -> tuple[list[str], list[str], list[bool], list[datetime | None]]:
    return (
        [row["id"] for row, _ in aged],
        [trace.kind for _, trace in aged],
        [trace.archived for _, trace in aged],
        [due_at(trace, now) for _, trace in aged],
    )
