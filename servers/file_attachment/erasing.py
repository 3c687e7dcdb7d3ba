"""Erasing bytes that nobody needs any more, and uploads that nobody goes on with."""

import asyncio
from datetime import timedelta

import structlog
from prometheus_client import Counter

from servers.file_attachment.parts import folder
from servers.file_attachment.store import Objects
from servers.file_attachment.tables import QUERIES
from servers.runtime.errors import KariError
from servers.runtime.postgres import Database
from servers.runtime.resources import Resource

PAUSE_SECONDS = 30.0
PATIENCE = timedelta(days=1)
"""An upload that nobody goes on with for so long is given up."""
AT_ONCE = 100

ERASED = Counter("kari_chat_files_erased_total", "Files whose bytes were erased.")
GIVEN_UP = Counter("kari_chat_uploads_given_up_total", "Uploads that nobody went on with.")

log = structlog.get_logger("kari.file_attachment")


class Erasing:
    """What is to be erased stands in Postgres until it is: whoever dies on the way, it is done."""

    def __init__(self, database: Resource[Database], objects: Resource[Objects]) -> None:
        self._database = database
        self._objects = objects
        self._some = asyncio.Event()

    def soon(self) -> None:
        """There is something to erase."""
        self._some.set()

    async def run(self) -> None:
        """Erases, for ever; what fails is tried again."""
        while True:
            try:
                await self.sweep()
            except KariError as error:
                log.warning("bytes were not erased yet", error=error.message)
            self._some.clear()
            try:
                async with asyncio.timeout(PAUSE_SECONDS):
                    await self._some.wait()
            except TimeoutError:
                continue

    async def sweep(self) -> None:
        """Erases everything that waits for it."""
        database = await self._database.get()
        async with database.across_tenants() as connection:
            GIVEN_UP.inc(await connection.fetchval(QUERIES.give_up_uploads, PATIENCE))
            waiting = await connection.fetch(QUERIES.waiting_erasures, AT_ONCE)
        objects = await self._objects.get() if waiting else None
        for row in waiting:
            assert objects is not None  # noqa: S101  # it was opened for these
            await objects.erase(folder(row["tenant_id"], row["prefix"]))
            async with database.across_tenants() as connection:
                await connection.execute(QUERIES.settle_erasure, row["prefix"])
            ERASED.inc()
        if len(waiting) == AT_ONCE:
            self._some.set()
