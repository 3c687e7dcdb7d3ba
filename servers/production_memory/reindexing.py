"""Making all vectors again from Postgres, while the system serves."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from itertools import groupby

from asyncpg import Record

from kari.production_memory.v1.production_memory_pb2 import ReindexResponse
from servers.production_memory.embed_job import EmbedJob
from servers.production_memory.file_job import FileJob
from servers.production_memory.importing import JOB_MESSAGES
from servers.production_memory.jobs import Job, Jobs
from servers.production_memory.tables import FILES, QUERIES
from servers.production_memory.vault.memory_jobs import MemoryJob
from servers.runtime import paging
from servers.runtime.postgres import Database
from servers.runtime.resources import Resource

PAGE = 20 * JOB_MESSAGES
LOOK_SECONDS = 1.0


@dataclass(frozen=True)
class Kind:
    """Something that has vectors. Its ids begin with `prefix`; `found` gives those behind a place,
    `counted` how many there are."""

    prefix: str
    found: str
    counted: str
    job: Callable[[str, tuple[str, ...]], Job]


KINDS = (
    Kind("msg_", QUERIES.messages_to_index, QUERIES.messages_of_all, EmbedJob),
    Kind("mem_", QUERIES.memories_to_index, QUERIES.memories_of_all, MemoryJob),
    Kind("sum_", QUERIES.summaries_to_index, QUERIES.summaries_of_all, EmbedJob),
    Kind("file_", FILES.file_chunks_to_index, FILES.file_chunks_of_all, FileJob),
)
"""One kind after the other."""
ENTRYPOINTS = (EmbedJob.entrypoint, MemoryJob.entrypoint, FileJob.entrypoint)
"""The jobs that make vectors."""


class Reindexing:
    """Queues everything that has a vector to be embedded again. The jobs yield to turns like all
    others; writing a vector again replaces it, so search goes on with what there is."""

    def __init__(
        self, database: Resource[Database], jobs: Jobs, look_seconds: float = LOOK_SECONDS
    ) -> None:
        self._database = database
        self._jobs = jobs
        self._look_seconds = look_seconds

    async def run(self, page_token: str) -> AsyncGenerator[ReindexResponse, None]:
        """Queues all that is behind a place (empty: all), telling after each page how far it has
        come; then tells how many of the jobs that make vectors wait, until none of those does that
        were queued by then. Each page is committed by itself."""
        database = await self._database.get()
        async with database.across_tenants() as connection:
            total = sum([await connection.fetchval(kind.counted) for kind in KINDS])
        tenant_id, last_id = paging.place_of(page_token, str, str) or ("", "")
        queued = 0
        for kind in _left_of(str(last_id)):
            place = (str(tenant_id), str(last_id)) if _is_in(kind, str(last_id)) else ("", "")
            while rows := await self._queue(database, kind, place):
                queued += len(rows)
                place = rows[-1]["tenant_id"], rows[-1]["id"]
                page_token = paging.token_of(*place)
                yield ReindexResponse(queued=queued, messages=total, page_token=page_token)
        last = await self._last(database)
        while left := await self._left(database, last):
            yield ReindexResponse(
                queued=queued, messages=total, jobs_left=left, page_token=page_token
            )
            await asyncio.sleep(self._look_seconds)
        yield ReindexResponse(queued=queued, messages=total, page_token=page_token)

    async def _queue(self, database: Database, kind: Kind, after: tuple[str, str]) -> list[Record]:
        async with database.across_tenants() as connection:
            rows: list[Record] = await connection.fetch(kind.found, *after, PAGE)
            if rows:
                await self._jobs.enqueue(connection, *_jobs(kind, rows))
        self._jobs.wake()
        return rows

    async def _last(self, database: Database) -> int:
        async with database.across_tenants() as connection:
            last: int = await connection.fetchval(QUERIES.last_job)
        return last

    async def _left(self, database: Database, last: int) -> int:
        async with database.across_tenants() as connection:
            left: int = await connection.fetchval(QUERIES.jobs_left, list(ENTRYPOINTS), last)
        return left


def _jobs(kind: Kind, rows: list[Record]) -> list[Job]:
    jobs = list[Job]()
    for tenant_id, of_tenant in groupby(rows, lambda row: str(row["tenant_id"])):
        ids = [row["id"] for row in of_tenant]
        for first in range(0, len(ids), JOB_MESSAGES):
            jobs.append(kind.job(tenant_id, tuple(ids[first : first + JOB_MESSAGES])))
    return jobs


def _is_in(kind: Kind, last_id: str) -> bool:
    return last_id.startswith(kind.prefix)


def _left_of(last_id: str) -> tuple[Kind, ...]:
    """The kinds that are not queued yet, from that of the last id on; all if there is none."""
    first = next((n for n, kind in enumerate(KINDS) if _is_in(kind, last_id)), 0)
    return KINDS[first:]
