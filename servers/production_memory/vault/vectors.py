"""The vectors of memories, brought up to date with Postgres: the job that follows every change."""

from collections import defaultdict
from collections.abc import Sequence

from asyncpg import Record

from servers.production_memory.store import MemoryVector, VectorStore
from servers.production_memory.vault.memory_jobs import MemoryJob
from servers.production_memory.vault.nearness import Nearness
from servers.production_memory.vault.tables import QUERIES
from servers.production_memory.writes import written
from servers.runtime.postgres import Database
from servers.runtime.resources import Resource

MOST_TEXTS = 64
"""Texts of one call: less than a second of the embedder's, so that others get their turn."""


class MemoryVectors:
    """A memory that holds gets its vector; of all others none is left. Doing so again changes
    nothing.

    A vector is written while its memory's row is locked against being erased. So who erases a
    memory erases its vector after the last one that was written, and nobody writes it later."""

    def __init__(
        self,
        database: Resource[Database],
        nearness: Nearness,
        vectors: Resource[VectorStore],
    ) -> None:
        self._database = database
        self._nearness = nearness
        self._vectors = vectors

    async def do(self, jobs: Sequence[MemoryJob]) -> None:
        """Does all jobs; KariError if something is away."""
        wanted: dict[str, dict[str, None]] = defaultdict(dict)
        for job in jobs:
            wanted[job.tenant_id].update(dict.fromkeys(job.memory_ids))
        for tenant_id, ids in wanted.items():
            in_order = list(ids)
            for first in range(0, len(in_order), MOST_TEXTS):
                await self._bring(tenant_id, in_order[first : first + MOST_TEXTS])
        for job in jobs:
            if job.receipt_id:
                await self._erased(job)

    async def _bring(self, tenant_id: str, ids: Sequence[str]) -> None:
        database, store = await self._database.get(), await self._vectors.get()
        values = await self._values(database, tenant_id, ids)
        with written("memory_vectors"):
            async with database.transaction(tenant_id) as connection:
                rows = await connection.fetch(QUERIES.lock_memories, list(ids))
                vectors = [_vector(row, values[row["id"]]) for row in rows if row["id"] in values]
                if vectors:
                    await store.write_memories(vectors)
                gone = sorted(set(ids) - {vector.memory_id for vector in vectors})
                if gone:
                    await store.erase_memories(tenant_id, gone)

    async def _values(
        self, database: Database, tenant_id: str, ids: Sequence[str]
    ) -> dict[str, Sequence[float]]:
        rows = await database.rows(tenant_id, QUERIES.texts_of_memories, list(ids))
        if not rows:
            return {}
        vectors = await self._nearness.vectors_of([row["content"] for row in rows])
        return {row["id"]: values for row, values in zip(rows, vectors, strict=True)}

    async def _erased(self, job: MemoryJob) -> None:
        database = await self._database.get()
        await database.row(job.tenant_id, QUERIES.vectors_erased, job.receipt_id)


def _vector(row: Record, values: Sequence[float]) -> MemoryVector:
    return MemoryVector(row["id"], row["tenant_id"], row["user_id"], row["kind"], values)
