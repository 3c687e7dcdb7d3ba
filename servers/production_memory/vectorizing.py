"""Doing embed jobs: texts from Postgres, vectors from the model factory, into the vector store."""

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from asyncpg import Record

from servers.production_memory.embed_job import EmbedJob
from servers.production_memory.embedded_text import (
    CONTEXT_CHARACTERS,
    OWN_CHARACTERS,
    embedded_text,
)
from servers.production_memory.embedding import vectors_of
from servers.production_memory.store import Vector, VectorStore
from servers.production_memory.tables import QUERIES
from servers.production_memory.writes import written
from servers.runtime.postgres import Database
from servers.runtime.resources import Resource

if TYPE_CHECKING:
    from kari.model_factory.v1.model_factory_pb2_grpc import ModelFactoryServiceAsyncStub

MOST_MESSAGES = 64
"""Messages that are written together."""


class Vectorizing:
    """Stores the vectors of messages. Doing so again changes nothing."""

    def __init__(
        self,
        database: Resource[Database],
        models: "ModelFactoryServiceAsyncStub",
        vectors: Resource[VectorStore],
    ) -> None:
        self._database = database
        self._models = models
        self._vectors = vectors

    async def do(self, jobs: Sequence[EmbedJob]) -> None:
        """Does all jobs; KariError if something is away."""
        rows = [row for ids in by_tenant(jobs).items() for row in await self._texts(*ids)]
        for first in range(0, len(rows), MOST_MESSAGES):
            await self._store(rows[first : first + MOST_MESSAGES])

    async def _store(self, rows: Sequence[Record]) -> None:
        with written("vectors"):
            values = await vectors_of(self._models, [_text(row) for row in rows])
            store = await self._vectors.get()
            await store.write([_vector(*pair) for pair in zip(rows, values, strict=True)])

    async def _texts(self, tenant_id: str, message_ids: Sequence[str]) -> list[Record]:
        database = await self._database.get()
        return await database.rows(
            tenant_id, QUERIES.texts_of, list(message_ids), OWN_CHARACTERS, CONTEXT_CHARACTERS
        )


def by_tenant(jobs: Sequence[EmbedJob]) -> dict[str, list[str]]:
    """The message ids of jobs, by tenant."""
    wanted: dict[str, list[str]] = defaultdict(list)
    for job in jobs:
        wanted[job.tenant_id].extend(job.message_ids)
    return wanted


def _text(row: Record) -> str:
    before = None
    if row["role_before"] is not None:
        before = (row["author_before"], row["role_before"], row["beginning_before"])
    return embedded_text(row["author"], row["role"], row["beginning"], before)


def _vector(row: Record, values: Sequence[float]) -> Vector:
    return Vector(
        message_id=row["id"],
        tenant_id=row["tenant_id"],
        conversation_id=row["conversation_id"],
        role=row["role"],
        created_at_ms=int(row["created_at"].timestamp() * 1000),
        values=values,
    )
