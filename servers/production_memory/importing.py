"""Importing messages that were said elsewhere: all of a request in one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass

from kari.conversation_models.v1.message_pb2 import MessageRole
from kari.production_memory.v1.production_memory_pb2 import ImportMessagesRequest
from servers.production_memory.embed_job import EmbedJob
from servers.production_memory.jobs import Jobs
from servers.production_memory.tables import QUERIES
from servers.production_memory.writes import written
from servers.runtime.call import Principal
from servers.runtime.ids import new_id
from servers.runtime.names import short
from servers.runtime.postgres import Connection, Database
from servers.runtime.resources import Resource

JOB_MESSAGES = 50
"""Messages of one job: a batch of jobs stays well under what the model factory takes at once."""


@dataclass(frozen=True)
class Imported:
    """The ids of the messages, and whether an earlier request brought them."""

    message_ids: Sequence[str]
    repeated: bool = False


class Importing:
    """Adds messages behind those that a conversation has."""

    def __init__(self, database: Resource[Database], jobs: Jobs) -> None:
        self._database = database
        self._jobs = jobs

    async def run(self, request: ImportMessagesRequest, who: Principal) -> Imported:
        """Commits the messages and their jobs; a repeated request gives the first one's."""
        database = await self._database.get()
        with written("import"):
            async with database.transaction(who.tenant_id) as connection:
                imported = await self._import(connection, request, who)
        self._jobs.wake()
        return imported

    async def _import(
        self, connection: Connection, request: ImportMessagesRequest, who: Principal
    ) -> Imported:
        await connection.fetchval(QUERIES.lock_thread, request.conversation_id, who.user_id)
        known = await connection.fetchval(
            QUERIES.imported_before, request.conversation_id, request.request_id
        )
        if known is not None:
            return Imported(known, repeated=True)
        ids = [new_id("msg") for _ in request.messages]
        await connection.execute(
            QUERIES.import_messages,
            request.conversation_id,
            who.user_id,
            ids,
            [short(MessageRole, message.role) for message in request.messages],
            [message.content for message in request.messages],
            [message.timestamp.ToDatetime() for message in request.messages],
            [message.author for message in request.messages],
            request.request_id,
        )
        await self._jobs.enqueue(
            connection,
            *(
                EmbedJob(who.tenant_id, tuple(ids[first : first + JOB_MESSAGES]))
                for first in range(0, len(ids), JOB_MESSAGES)
            ),
        )
        return Imported(ids)
