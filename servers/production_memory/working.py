"""Working off the jobs.

pgqueuer keeps the jobs; the loop is ours because it does many jobs at once: a batch of messages is
embedded with one call. Jobs are done at least once: one whose worker died is taken again, and doing
it again changes nothing. While Milvus, the model factory or Postgres is away, the jobs wait; no
turn does.

A batch that fails goes back whole, and jobs are taken one by one until some are done. One that
fails alone goes behind all others, so that none waits for it. It is set aside for an operator if it
cannot be done at all, or has failed too often while others were done.
"""

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any

import structlog
from pgqueuer.adapters.drivers.asyncpg import AsyncpgPoolDriver
from pgqueuer.adapters.persistence.queries import Queries
from pgqueuer.domain.models import Job, TracebackRecord
from pgqueuer.domain.types import QueueEntrypoint, QueueManagerId
from pgqueuer.ports.repository import EntrypointExecutionParameter

from kari.errors.v1.errors_pb2 import Reason
from servers.production_memory.blame import Blame
from servers.production_memory.jobs import Jobs
from servers.production_memory.quiet import Quiet
from servers.production_memory.tables import QUERIES
from servers.production_memory.writes import WRITES
from servers.runtime.call import Call, acting
from servers.runtime.errors import InvalidRequest, KariError
from servers.runtime.ids import new_correlation_id
from servers.runtime.labelled import labelled
from servers.runtime.postgres import AWAY, Database
from servers.runtime.resources import Resource

TIDY_SECONDS = 3600

log = structlog.get_logger("kari.production_memory")


@dataclass(frozen=True)
class Pace:
    """How a worker goes about it; times in seconds. A worker that has had a job for longer than
    `abandoned_after` has died. A job to blame waits for `first_delay`, then twice as long each
    time, and is set aside at the last of `most_attempts`: after a quarter of an hour in which
    others were done."""

    batch: int = 16
    look_every: float = 5.0
    first_wait: float = 1.0
    longest_wait: float = 30.0
    abandoned_after: float = 90.0
    first_delay: float = 60.0
    most_attempts: int = 5
    keep_log_days: int = 7


@dataclass(frozen=True)
class Work:
    """How jobs of a kind are done. `parse` raises ValueError if a payload is none of them; `do`
    does several, and raises a KariError that may be retried if something is away. `target` is what
    they write to, for the metric."""

    parse: Callable[[bytes | None], Any]
    do: Callable[[Sequence[Any]], Awaitable[None]]
    target: str


class Worker:
    """Does jobs of some kinds. `run` is one of the server's loops."""

    def __init__(
        self,
        name: str,
        database: Resource[Database],
        jobs: Jobs,
        work: Mapping[str, Work],
        quiet: Quiet,
        pace: Pace | None = None,
    ) -> None:
        self._name = name
        self._database = database
        self._jobs = jobs
        self._work = work
        self._quiet = quiet
        self._pace = pace or Pace()
        self._id = QueueManagerId(uuid.uuid4())
        self._blame = Blame()
        self._most = self._pace.batch

    async def run(self) -> None:
        """Takes batch after batch, for ever, when it is quiet; after a failure of something that is
        away it waits, twice as long each time."""
        wait, worked = 0.0, 0.0
        while True:
            try:
                await self._quiet.come(worked)
                began = time.perf_counter()
                found = await self.step()
                worked = time.perf_counter() - began
            except (*AWAY, KariError) as error:
                wait = min(wait * 2 or self._pace.first_wait, self._pace.longest_wait)
                log.warning("jobs wait", worker=self._name, error=_name(error), seconds=wait)
                await asyncio.sleep(wait)
                continue
            wait = 0.0
            if not found:
                await self._jobs.woken(self._name, self._pace.look_every)

    async def step(self) -> int:
        """Takes a batch of jobs and does it; gives their number. Raises what keeps it from doing
        so, the jobs back in the queue."""
        queue = Queries(AsyncpgPoolDriver((await self._database.get()).pool))
        anyhow = EntrypointExecutionParameter(concurrency_limit=0)
        taken = await queue.dequeue(
            self._most,
            {QueueEntrypoint(kind): anyhow for kind in self._work},
            self._id,
            None,
            timedelta(seconds=self._pace.abandoned_after),
        )
        with acting(Call(correlation_id=new_correlation_id())):
            await self._do_all(queue, sorted(taken, key=lambda job: (job.entrypoint, job.id)))
        return len(taken)

    async def tidy(self) -> None:
        """Forgets what the queue logged long ago; once an hour, if Postgres is there then."""
        while True:
            try:
                database = await self._database.get()
                async with database.across_tenants() as connection:
                    await connection.execute(
                        QUERIES.forget_old_jobs, timedelta(days=self._pace.keep_log_days)
                    )
            except KariError as error:
                log.warning("the log of jobs was not tidied", error=_name(error))
            await asyncio.sleep(TIDY_SECONDS)

    async def _do_all(self, queue: Queries, taken: Sequence[Job]) -> None:
        """Each kind by itself: what keeps one from being done does not keep the others."""
        failures = list[Exception]()
        for kind, jobs in groupby(taken, lambda job: str(job.entrypoint)):
            try:
                await self._do(queue, self._work[kind], list(jobs))
            except Exception as error:  # noqa: BLE001  # raised once the others are done
                failures.append(error)
        if failures:
            raise failures[0]

    async def _do(self, queue: Queries, work: Work, taken: Sequence[Job]) -> None:
        try:
            await work.do([work.parse(job.payload) for job in taken])
        except Exception as error:  # whatever it was, the jobs must not be lost, nor block others
            await self._failed(queue, work, taken, error)
            if not _is_hopeless(error):
                raise
        else:
            await queue.log_jobs([(job, "successful", None) for job in taken])
            self._blame.done([job.id for job in taken])
            self._most = min(self._most * 2, self._pace.batch)

    async def _failed(
        self, queue: Queries, work: Work, taken: Sequence[Job], error: Exception
    ) -> None:
        self._most = 1
        if len(taken) > 1:
            await queue.driver.execute(QUERIES.put_back, [job.id for job in taken])
            return
        (job,) = taken
        if _is_hopeless(error):
            await self._set_aside(queue, work, job, error)
        elif not self._blame.failed(job.id):
            await queue.driver.execute(QUERIES.put_behind, job.id, timedelta(0), 0)
        elif job.attempts + 1 >= self._pace.most_attempts:
            await self._set_aside(queue, work, job, error)
        else:
            delay = timedelta(seconds=self._pace.first_delay * 2**job.attempts)
            await queue.driver.execute(QUERIES.put_behind, job.id, delay, 1)

    async def _set_aside(self, queue: Queries, work: Work, job: Job, error: Exception) -> None:
        """Keeps a job as failed, with the error's name and without its text, which may hold
        content."""
        log.error(
            "job set aside",
            kind=job.entrypoint,
            job=job.id,
            error=_name(error),
            retries=job.attempts,
        )
        labelled(WRITES, work.target, "set_aside").inc()
        record = TracebackRecord(
            job_id=job.id,
            timestamp=datetime.now(UTC),
            exception_type=_name(error),
            exception_message="",
            traceback="",
            additional_context=None,
        )
        await queue.log_jobs([(job, "failed", record)])


def _is_hopeless(error: Exception) -> bool:
    """Whether trying again gives the same: the job is none, or a text is refused."""
    return isinstance(error, ValueError | InvalidRequest)


def _name(error: Exception) -> str:
    return Reason.Name(error.reason) if isinstance(error, KariError) else type(error).__name__
