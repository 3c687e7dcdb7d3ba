"""The vectors of pieces of files, brought up to date with Postgres."""

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from servers.production_memory.embedded_text import OWN_CHARACTERS
from servers.production_memory.embedding import vectors_of
from servers.production_memory.file_job import FileJob
from servers.production_memory.store import ChunkVector, VectorStore
from servers.production_memory.tables import FILES
from servers.production_memory.writes import written
from servers.runtime.postgres import Database
from servers.runtime.resources import Resource

if TYPE_CHECKING:
    from kari.model_factory.v1.model_factory_pb2_grpc import ModelFactoryServiceAsyncStub

MOST_PIECES = 64
"""Pieces that are written together, for which their files are locked."""


class FileVectors:
    """A piece that is there gets its vector; of all others none is left. Doing so again changes
    nothing.

    A vector is written while its file is locked against being dropped. So who drops a file erases
    its vectors after the last one that was written, and nobody writes one later."""

    def __init__(
        self,
        database: Resource[Database],
        models: "ModelFactoryServiceAsyncStub",
        vectors: Resource[VectorStore],
    ) -> None:
        self._database = database
        self._models = models
        self._vectors = vectors

    async def do(self, jobs: Sequence[FileJob]) -> None:
        """Does all jobs; KariError if something is away."""
        wanted: dict[str, dict[str, None]] = defaultdict(dict)
        for job in jobs:
            wanted[job.tenant_id].update(dict.fromkeys(job.chunk_ids))
        for tenant_id, ids in wanted.items():
            in_order = list(ids)
            for first in range(0, len(in_order), MOST_PIECES):
                await self._bring(tenant_id, in_order[first : first + MOST_PIECES])
        for job in jobs:
            if job.dropped_ids:
                store = await self._vectors.get()
                await store.erase_files(job.tenant_id, job.dropped_ids)

    async def _bring(self, tenant_id: str, ids: Sequence[str]) -> None:
        database = await self._database.get()
        values = await self._values(database, tenant_id, ids)
        store = await self._vectors.get()
        with written("file_vectors"):
            async with database.transaction(tenant_id) as connection:
                rows = await connection.fetch(FILES.lock_chunks, list(ids))
                vectors = [
                    ChunkVector(row["id"], row["tenant_id"], row["file_id"], values[row["id"]])
                    for row in rows
                    if row["id"] in values
                ]
                if vectors:
                    await store.write_chunks(vectors)
                gone = sorted(set(ids) - {vector.chunk_id for vector in vectors})
                if gone:
                    await store.erase_chunks(tenant_id, gone)

    async def _values(
        self, database: Database, tenant_id: str, ids: Sequence[str]
    ) -> dict[str, Sequence[float]]:
        """By id; of texts without a sign there are none."""
        rows = await database.rows(tenant_id, FILES.texts_of_chunks, list(ids), OWN_CHARACTERS)
        texts = {row["id"]: _text(row["name"], row["beginning"]) for row in rows}
        wanted = {id_: text for id_, text in texts.items() if text}
        found = await vectors_of(self._models, list(wanted.values()))
        return dict(zip(wanted, found, strict=True))


def _text(name: str, content: str) -> str:
    """The text first: what the embedder has no room for is the name."""
    return f"{content}\n{name}" if content.strip() else ""
