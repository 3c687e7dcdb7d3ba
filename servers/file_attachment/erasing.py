"""Erasing bytes that nobody needs any more, and uploads that nobody goes on with."""

import asyncio
import time
from collections.abc import Sequence
from datetime import timedelta

import structlog
from asyncpg import Record
from prometheus_client import Counter

from kari.errors.v1.errors_pb2 import Reason
from servers.file_attachment.parts import folder
from servers.file_attachment.store import Objects
from servers.file_attachment.tables import QUERIES
from servers.runtime.errors import KariError
from servers.runtime.postgres import Database
from servers.runtime.resources import Resource

PAUSE_SECONDS = 30.0
TIDY_SECONDS = 3600.0
PATIENCE = timedelta(days=1)
"""An upload that nobody goes on with for so long is given up."""
LEASED = 20
"""Rows taken at once: whoever takes them has a minute before somebody else does."""
AT_ONCE = 4

ERASED = Counter("kari_chat_files_erased_total", "Files whose bytes were erased.")
FAILED = Counter("kari_chat_file_erasures_failed_total", "Attempts to erase bytes that failed.")
GIVEN_UP = Counter("kari_chat_uploads_given_up_total", "Uploads that nobody went on with.")

log = structlog.get_logger("kari.file_attachment")


class Erasing:
    """What is to be erased stands in Postgres until it is: whoever dies on the way, it is done."""

    def __init__(self, database: Resource[Database], objects: Resource[Objects]) -> None:
        self._database = database
        self._objects = objects
        self._some = asyncio.Event()
        self._tidied = -TIDY_SECONDS

    def soon(self) -> None:
        """There is something to erase."""
        self._some.set()

    async def run(self) -> None:
        """Erases, for ever; what fails is tried again."""
        while True:
            self._some.clear()
            try:
                await self.sweep()
                await self._tidy()
            except KariError as error:
                log.warning("bytes were not erased yet", error=error.message)
            try:
                async with asyncio.timeout(PAUSE_SECONDS):
                    await self._some.wait()
            except TimeoutError:
                continue

    async def sweep(self) -> None:
        """Erases what waits for it. What cannot be erased is left for later, and holds up nothing
        else."""
        database = await self._database.get()
        async with database.across_tenants() as connection:
            GIVEN_UP.inc(await connection.fetchval(QUERIES.give_up_uploads, PATIENCE))
        while waiting := await self._waiting(database):
            objects, turns = await self._objects.get(), asyncio.Semaphore(AT_ONCE)
            async with asyncio.TaskGroup() as group:
                for row in waiting:
                    group.create_task(self._erase(database, objects, row, turns))

    async def _waiting(self, database: Database) -> Sequence[Record]:
        async with database.across_tenants() as connection:
            rows: Sequence[Record] = await connection.fetch(QUERIES.waiting_erasures, LEASED)
            return rows

    async def _erase(
        self, database: Database, objects: Objects, row: Record, turns: asyncio.Semaphore
    ) -> None:
        async with turns:
            try:
                await objects.erase(folder(row["tenant_id"], row["prefix"]))
                async with database.across_tenants() as connection:
                    await connection.execute(QUERIES.settle_erasure, row["prefix"])
            except KariError as error:
                FAILED.inc()
                reason = Reason.Name(error.reason)
                log.warning("bytes were not erased yet", prefix=row["prefix"], reason=reason)
                return
            ERASED.inc()

    async def _tidy(self) -> None:
        """At the start and every hour."""
        if time.monotonic() - self._tidied < TIDY_SECONDS:
            return
        self._tidied = time.monotonic()
        await (await self._objects.get()).tidy()
