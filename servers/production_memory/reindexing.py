"""Making all vectors again from Postgres, while the system serves."""

import asyncio
from collections.abc import AsyncGenerator
from itertools import groupby

from asyncpg import Record

from kari.production_memory.v1.production_memory_pb2 import ReindexResponse
from servers.production_memory.embed_job import EmbedJob
from servers.production_memory.importing import JOB_MESSAGES
from servers.production_memory.jobs import Jobs
from servers.production_memory.tables import QUERIES
from servers.runtime import paging
from servers.runtime.postgres import Connection, Database
from servers.runtime.resources import Resource

PAGE = 20 * JOB_MESSAGES
SUMMARIES = "sum_"
"""How ids of summaries begin, which come after all messages."""
LOOK_SECONDS = 1.0


class Reindexing:
    """Queues every message, then every summary, to be embedded again. The jobs yield to turns like
    all others; writing a vector again replaces it, so search goes on with what there is."""

    def __init__(
        self, database: Resource[Database], jobs: Jobs, look_seconds: float = LOOK_SECONDS
    ) -> None:
        self._database = database
        self._jobs = jobs
        self._look_seconds = look_seconds

    async def run(self, page_token: str) -> AsyncGenerator[ReindexResponse, None]:
        """Queues all that is behind a place (empty: all), telling after each page how far it has
        come; then tells how many jobs wait, until none does. Each page is committed by itself."""
        database = await self._database.get()
        async with database.across_tenants() as connection:
            total = await connection.fetchval(QUERIES.messages_of_all)
            total += await connection.fetchval(QUERIES.summaries_of_all)
        place = paging.place_of(page_token, str, str) or ("", "")
        queued = 0
        while rows := await self._queue(database, (str(place[0]), str(place[1]))):
            queued += len(rows)
            place = rows[-1]["tenant_id"], rows[-1]["id"]
            page_token = paging.token_of(*place)
            yield ReindexResponse(queued=queued, messages=total, page_token=page_token)
        while left := await self._left(database):
            yield ReindexResponse(
                queued=queued, messages=total, jobs_left=left, page_token=page_token
            )
            await asyncio.sleep(self._look_seconds)
        yield ReindexResponse(queued=queued, messages=total, page_token=page_token)

    async def _queue(self, database: Database, after: tuple[str, str]) -> list[Record]:
        async with database.across_tenants() as connection:
            rows = await _behind(connection, after)
            for tenant_id, of_tenant in groupby(rows, lambda row: row["tenant_id"]):
                ids = [row["id"] for row in of_tenant]
                for first in range(0, len(ids), JOB_MESSAGES):
                    job = EmbedJob(tenant_id, tuple(ids[first : first + JOB_MESSAGES]))
                    await self._jobs.enqueue(connection, job)
        self._jobs.wake()
        return rows

    async def _left(self, database: Database) -> int:
        async with database.across_tenants() as connection:
            left: int = await connection.fetchval(QUERIES.jobs_left)
        return left


async def _behind(connection: Connection, after: tuple[str, str]) -> list[Record]:
    """The next page: of messages, or of summaries once there are no more of them."""
    if after[1].startswith(SUMMARIES):
        return await connection.fetch(QUERIES.summaries_to_index, *after, PAGE)
    messages = await connection.fetch(QUERIES.messages_to_index, *after, PAGE)
    return messages or await connection.fetch(QUERIES.summaries_to_index, "", "", PAGE)
