"""Forgetting memories everywhere, with a receipt that holds ids and counts only."""

import asyncio
from collections.abc import Sequence

import structlog
from asyncpg import Record

from kari.errors.v1.errors_pb2 import Reason
from kari.production_memory.v1.production_memory_pb2 import ForgetMemoriesRequest
from servers.production_memory.jobs import Jobs
from servers.production_memory.tables import one
from servers.production_memory.vault.memory import DOMAIN
from servers.production_memory.vault.memory_jobs import MemoryJob
from servers.production_memory.vault.metrics import FORGOTTEN
from servers.production_memory.vault.permission import (
    require_may_write,
    unknown_memory,
    unknown_receipt,
)
from servers.production_memory.vault.tables import QUERIES, lock_owners
from servers.production_memory.vault.vectors import MemoryVectors
from servers.production_memory.writes import written
from servers.runtime import remembering
from servers.runtime.call import Principal
from servers.runtime.errors import Conflict, KariError
from servers.runtime.ids import new_id
from servers.runtime.postgres import Connection, Database
from servers.runtime.resources import Resource

VECTOR_SECONDS = 2.0
"""How long whoever forgets waits for the vectors to be erased; after that a job does it."""

log = structlog.get_logger("kari.production_memory")


class Forgetting:
    """Erases memories from Postgres at once, from Milvus at once or as soon as it is there, and
    what was computed of texts from this process."""

    def __init__(self, database: Resource[Database], jobs: Jobs, vectors: MemoryVectors) -> None:
        self._database = database
        self._jobs = jobs
        self._vectors = vectors

    async def forget(self, request: ForgetMemoriesRequest, who: Principal) -> Record:
        """Erases memories with all their versions, all of those asked for or none; gives the
        receipt. NotFound if one of them is not the caller's, Forbidden if it is the domain's and
        the caller lacks the role."""
        database = await self._database.get()
        with written("forget_memories"):
            async with database.transaction(who.tenant_id) as connection:
                receipt = await self._forget(connection, request, who)
        self._jobs.wake()
        remembering.forget()
        if receipt["vectors_erased_at"] is None:
            await self._erase_now(receipt)
        return await self.receipt(receipt["id"], who)

    async def receipt(self, receipt_id: str, who: Principal) -> Record:
        """A receipt as it stands; NotFound if it is not the caller's."""
        database = await self._database.get()
        row = await database.row(who.tenant_id, QUERIES.receipt, receipt_id, who.user_id)
        if row is None:
            raise unknown_receipt()
        return row

    async def _forget(
        self, connection: Connection, request: ForgetMemoriesRequest, who: Principal
    ) -> Record:
        asked = sorted(set(request.memory_ids))
        await _lock_owners(connection, asked, who)
        before = await connection.fetchrow(QUERIES.receipt_before, who.user_id, request.request_id)
        if before is not None:
            _require_same(before, asked)
            return before
        await _require_own(connection, asked, who)
        chain = await connection.fetch(QUERIES.chain_of, asked, [who.user_id, DOMAIN])
        return await self._erase(connection, request, who, asked, [row["id"] for row in chain])

    async def _erase(
        self,
        connection: Connection,
        request: ForgetMemoriesRequest,
        who: Principal,
        asked: Sequence[str],
        ids: Sequence[str],
    ) -> Record:
        await connection.execute(QUERIES.lock_to_erase, ids)
        await connection.execute(QUERIES.erase_memories, ids)
        receipt = await one(
            connection,
            QUERIES.add_receipt,
            new_id("rcpt"),
            who.user_id,
            request.request_id,
            asked,
            ids,
        )
        await self._jobs.enqueue(connection, MemoryJob(who.tenant_id, tuple(ids), receipt["id"]))
        FORGOTTEN.inc(len(ids))
        log.info("memories forgotten", receipt=receipt["id"], count=len(ids))
        return receipt

    async def _erase_now(self, receipt: Record) -> None:
        """The job is there if this fails; doing both changes nothing."""
        job = MemoryJob(receipt["tenant_id"], tuple(receipt["memory_ids"]), receipt["id"])
        try:
            async with asyncio.timeout(VECTOR_SECONDS):
                await self._vectors.do([job])
        except (KariError, TimeoutError, LookupError) as error:  # LookupError: no Milvus is set
            log.warning("vectors are erased later", error=type(error).__name__)


async def _lock_owners(connection: Connection, asked: Sequence[str], who: Principal) -> None:
    """The caller, whose request it is, and the domain only if one of its memories is asked for:
    all others of the tenant would wait."""
    rows = await connection.fetch(QUERIES.memories_by_id, asked, [DOMAIN])
    await lock_owners(connection, who.user_id, *(row["user_id"] for row in rows))


async def _require_own(connection: Connection, asked: Sequence[str], who: Principal) -> None:
    rows = await connection.fetch(QUERIES.memories_by_id, asked, [who.user_id, DOMAIN])
    if len(rows) != len(asked):
        raise unknown_memory()
    for row in rows:
        require_may_write(row["user_id"], who)


def _require_same(before: Record, asked: Sequence[str]) -> None:
    if list(before["asked_ids"]) != list(asked):
        raise Conflict(
            Reason.REASON_REQUEST_ID_REUSED,
            "this request id was used before to forget others; use a new one",
            receipt_id=before["id"],
        )
