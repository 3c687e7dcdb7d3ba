"""Doing embed jobs: texts from Postgres, vectors from the model factory, into the vector store."""

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

import grpc
from asyncpg import Record

from kari.model_factory.v1.model_factory_pb2 import EmbedRequest
from servers.production_memory.embed_job import EmbedJob
from servers.production_memory.embedded_text import (
    CONTEXT_CHARACTERS,
    OWN_CHARACTERS,
    embedded_text,
)
from servers.production_memory.store import Vector, VectorStore
from servers.production_memory.tables import QUERIES
from servers.production_memory.writes import written
from servers.runtime.errors import from_rpc
from servers.runtime.postgres import Database
from servers.runtime.resources import Resource

if TYPE_CHECKING:
    from kari.model_factory.v1.model_factory_pb2_grpc import ModelFactoryServiceAsyncStub

EMBED_SECONDS = 30.0
MOST_TEXTS = 64
"""Texts of one call: less than a second of the embedder's, so that others get their turn."""


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
        """Does all jobs, with a call of the model factory for each so many texts; KariError if
        something is away."""
        rows = [row for ids in by_tenant(jobs).items() for row in await self._texts(*ids)]
        for first in range(0, len(rows), MOST_TEXTS):
            await self._store(rows[first : first + MOST_TEXTS])

    async def _store(self, rows: Sequence[Record]) -> None:
        with written("vectors"):
            values = await self._values([_text(row) for row in rows])
            store = await self._vectors.get()
            await store.write([_vector(*pair) for pair in zip(rows, values, strict=True)])

    async def _texts(self, tenant_id: str, message_ids: Sequence[str]) -> list[Record]:
        database = await self._database.get()
        return await database.rows(
            tenant_id, QUERIES.texts_of, list(message_ids), OWN_CHARACTERS, CONTEXT_CHARACTERS
        )

    async def _values(self, texts: Sequence[str]) -> list[Sequence[float]]:
        try:
            response = await self._models.Embed(EmbedRequest(texts=texts), timeout=EMBED_SECONDS)
        except grpc.aio.AioRpcError as error:
            raise from_rpc(error) from error
        return [embedding.values for embedding in response.embeddings]


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
