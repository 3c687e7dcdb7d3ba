"""The work that waits behind the turns, for operators: of all kinds and tenants."""

import asyncio
import json
from collections.abc import Sequence
from contextlib import suppress

import structlog
from asyncpg import Record
from prometheus_client import Gauge

from kari.production_memory.v1.jobs_pb2 import FailedJob, JobCount
from servers.production_memory.embed_job import EmbedJob
from servers.production_memory.jobs import Jobs
from servers.production_memory.tables import QUERIES
from servers.runtime import paging
from servers.runtime.errors import Unavailable
from servers.runtime.postgres import Database
from servers.runtime.resources import Resource

JOBS = Gauge(
    "kari_chat_jobs",
    "Jobs in the queue: waiting, running, or failed, which is set aside. Every process that serves"
    " production memory shows the same queue.",
    ("kind", "state"),
)
OLDEST = Gauge(
    "kari_chat_jobs_oldest_seconds", "Age of the oldest job that waits or is under way.", ("kind",)
)
STATES = ("waiting", "running", "failed")
COUNT_SECONDS = 15.0

log = structlog.get_logger("kari.production_memory")


class Backlog:
    """Counts jobs, and decides about those that were set aside. They stay until they are retried or
    discarded."""

    def __init__(self, database: Resource[Database], jobs: Jobs) -> None:
        self._database = database
        self._jobs = jobs

    async def counts(self) -> list[JobCount]:
        """What there is of each kind."""
        return [_count(row) for row in await self._counted()]

    async def failed(self, page_size: int, page_token: str) -> tuple[list[FailedJob], str]:
        """A page of the jobs that were set aside, the latest first, and the next page's token."""
        size = paging.size_of(page_size)
        (before,) = paging.place_of(page_token, int) or (paging.LARGEST_INTEGER,)
        database = await self._database.get()
        async with database.across_tenants() as connection:
            rows: list[Record] = await connection.fetch(QUERIES.failed_jobs, before, size + 1)
        token = paging.token_of(rows[size - 1]["id"]) if len(rows) > size else ""
        return [_failed(row) for row in rows[:size]], token

    async def retry(self, job_ids: Sequence[int]) -> int:
        """Puts these back, all for none; gives their number."""
        retried = await self._decided(QUERIES.retry_jobs, job_ids)
        self._jobs.wake()
        return retried

    async def discard(self, job_ids: Sequence[int]) -> int:
        """Drops these; gives their number."""
        return await self._decided(QUERIES.discard_jobs, job_ids)

    async def show(self) -> None:
        """Keeps the gauges up to date, for ever; while Postgres is away they stay as they are."""
        kinds = {EmbedJob.entrypoint}
        while True:
            with suppress(Unavailable):  # which is logged and counted by all who need it more
                rows = {row["kind"]: row for row in await self._counted()}
                kinds |= set(rows)
                for kind in kinds:
                    _show(kind, rows.get(kind))
            await asyncio.sleep(COUNT_SECONDS)

    async def _counted(self) -> list[Record]:
        database = await self._database.get()
        async with database.across_tenants() as connection:
            rows: list[Record] = await connection.fetch(QUERIES.count_jobs)
        return rows

    async def _decided(self, query: str, job_ids: Sequence[int]) -> int:
        database = await self._database.get()
        async with database.across_tenants() as connection:
            decided: int = await connection.fetchval(query, list(job_ids))
        return decided


def _show(kind: str, row: Record | None) -> None:
    for state in STATES:
        JOBS.labels(kind, state).set(row[state] if row else 0)
    OLDEST.labels(kind).set(row["oldest_seconds"] if row else 0)


def _count(row: Record) -> JobCount:
    count = JobCount(kind=row["kind"], **{state: row[state] for state in STATES})
    if row["oldest_at"] is not None:
        count.oldest_at.FromDatetime(row["oldest_at"])
    return count


def _failed(row: Record) -> FailedJob:
    job = FailedJob(
        id=row["id"],
        kind=row["kind"],
        error=row["error"] or "",
        retries=row["attempts"],
        tenant_id=_text_in(row["payload"], "tenant"),
        correlation_id=_text_in(row["headers"], "correlation_id"),
    )
    job.queued_at.FromDatetime(row["queued_at"])
    job.failed_at.FromDatetime(row["failed_at"])
    return job


def _text_in(given: bytes | str | None, name: str) -> str:
    """A text of a JSON object; empty if it is none: that may be why the job failed."""
    try:
        match json.loads(given or b""):
            case {**fields} if isinstance(found := fields.get(name), str):
                return found
    except ValueError:
        pass
    return ""
