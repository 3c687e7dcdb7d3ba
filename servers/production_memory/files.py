"""Keeping the text of files in pieces, letting conversations find it, erasing it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from kari.conversation_models.v1.file_pb2 import TextChunk
from kari.production_memory.v1.production_memory_pb2 import GetFileChunksRequest, IndexFileRequest
from servers.production_memory.file_chunk import (
    chunk_of,
    columns_of,
    require_fitting,
    unknown_file,
)
from servers.production_memory.file_job import FileJob
from servers.production_memory.file_vectors import FileVectors
from servers.production_memory.jobs import Jobs
from servers.production_memory.message import storable
from servers.production_memory.tables import FILES, one
from servers.production_memory.writes import written
from servers.runtime import remembering
from servers.runtime.call import Principal
from servers.runtime.errors import KariError
from servers.runtime.postgres import Connection, Database
from servers.runtime.resources import Resource

JOB_PIECES = 50
PAGE_BYTES = 1024 * 1024
DEFAULT_LIMIT = 20
VECTOR_SECONDS = 2.0
"""How long whoever drops a file waits for its vectors to be erased; after that a job does it."""

log = structlog.get_logger("kari.production_memory")


@dataclass(frozen=True)
class Pieces:
    """Pieces in order, the file's name, how many it has, and whether anybody has said so."""

    chunks: Sequence[TextChunk] = ()
    name: str = ""
    total: int = 0
    indexed: bool = False


class Files:
    """Pieces of files. They are their uploader's; others find them through conversations in which
    the uploader used them. Who takes part in these is the conversation manager's to know."""

    def __init__(self, database: Resource[Database], jobs: Jobs, vectors: FileVectors) -> None:
        self._database = database
        self._jobs = jobs
        self._vectors = vectors

    async def index(self, request: IndexFileRequest, who: Principal) -> int:
        """Commits pieces and their jobs; gives how many the file has. InvalidRequest if one has no
        place or is too long, NotFound if the file is somebody else's or was dropped."""
        require_fitting(request.chunks)
        database = await self._database.get()
        with written("file_chunks"):
            async with database.transaction(who.tenant_id) as connection:
                pieces = await self._index(connection, request, who)
        self._jobs.wake()
        return pieces

    async def share(self, file_ids: Sequence[str], conversation_id: str, who: Principal) -> None:
        """Ties the caller's files to a conversation; those of others stay as they are."""
        database = await self._database.get()
        with written("file_uses"):
            async with database.transaction(who.tenant_id) as connection:
                await share(connection, file_ids, conversation_id, who.user_id)

    async def drop(self, file_id: str, who: Principal) -> int:
        """Erases the pieces of a file of the caller from Postgres at once, from Milvus at once or
        as soon as it is there; gives their number. What arrives of it later is refused."""
        database = await self._database.get()
        job = FileJob(who.tenant_id, dropped_ids=(file_id,))
        with written("drop_file"):
            async with database.transaction(who.tenant_id) as connection:
                await connection.execute(FILES.lock_file_to_drop, file_id)
                erased = await connection.fetchval(FILES.drop_file, file_id, who.user_id)
                if not erased:
                    return 0
                await self._jobs.enqueue(connection, job)
        self._jobs.wake()
        remembering.forget()
        await self._erase_now(job)
        log.info("text of a file dropped", file=file_id, pieces=erased)
        return int(erased)

    async def read(self, request: GetFileChunksRequest, who: Principal) -> Pieces:
        """Pieces from a place on, with PAGE_BYTES of text; nothing of a file that is neither the
        caller's nor used in the conversation."""
        database = await self._database.get()
        async with database.transaction(who.tenant_id) as connection:
            file = await connection.fetchrow(
                FILES.readable_file, request.file_id, who.user_id, request.conversation_id
            )
            if file is None:
                return Pieces()
            rows = await connection.fetch(
                FILES.chunks_from,
                request.file_id,
                request.from_index,
                request.limit or DEFAULT_LIMIT,
                PAGE_BYTES,
            )
        return Pieces([chunk_of(row) for row in rows], file["name"], file["pieces"], indexed=True)

    async def _index(
        self, connection: Connection, request: IndexFileRequest, who: Principal
    ) -> int:
        name = storable(request.name)
        file = await one(connection, FILES.take_file, request.file_id, who.user_id, name)
        if file["user_id"] != who.user_id or file["dropped"]:
            raise unknown_file()
        columns = columns_of(request.file_id, request.chunks)
        pieces: int = await connection.fetchval(FILES.keep_chunks, request.file_id, *columns)
        if request.conversation_id:
            await share(connection, [request.file_id], request.conversation_id, who.user_id)
        ids, places = columns[:2]
        firsts = range(0, len(ids), JOB_PIECES)
        jobs = [FileJob(who.tenant_id, tuple(ids[at : at + JOB_PIECES])) for at in firsts]
        behind = [places[at] // JOB_PIECES for at in firsts]
        await self._jobs.enqueue(connection, *jobs, places=behind)
        return pieces

    async def _erase_now(self, job: FileJob) -> None:
        """The job is there if this fails; doing both changes nothing."""
        try:
            async with asyncio.timeout(VECTOR_SECONDS):
                await self._vectors.do([job])
        except (KariError, TimeoutError, LookupError) as error:  # LookupError: no Milvus is set
            log.warning("vectors are erased later", error=type(error).__name__)


async def share(
    connection: Connection, file_ids: Sequence[str], conversation_id: str, user_id: str
) -> None:
    """Lets the participants of a conversation find files, within the caller's transaction."""
    await connection.execute(FILES.share_files, list(file_ids), conversation_id, user_id)
