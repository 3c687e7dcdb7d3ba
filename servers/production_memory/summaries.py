"""Keeping summaries, and reading them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from asyncpg import Record

from kari.conversation_models.v1.summary_pb2 import ConversationSummary
from kari.errors.v1.errors_pb2 import Reason
from kari.production_memory.v1.production_memory_pb2 import ListSummariesRequest
from servers.production_memory.embed_job import EmbedJob
from servers.production_memory.jobs import Jobs
from servers.production_memory.summary import (
    kind_of,
    require_next,
    require_same,
    require_whole,
    summary_of,
    unknown_messages,
)
from servers.production_memory.writes import written
from servers.runtime import paging
from servers.runtime.errors import NotFound
from servers.runtime.ids import new_id
from servers.runtime.postgres import Connection, Database
from servers.runtime.queries import Queries
from servers.runtime.resources import Resource

STATEMENTS = Queries(Path(__file__).with_name("summaries.sql"))

BEHIND_ALL = "~"
"""Comes after every id."""


@dataclass(frozen=True)
class Kept:
    """A summary as it is stored, and whether it was there already."""

    summary: ConversationSummary
    repeated: bool = False


class Summaries:
    """Writes summaries, each once, and reads those of one tenant. Who takes part in a conversation
    is the conversation manager's to know."""

    def __init__(self, database: Resource[Database], jobs: Jobs) -> None:
        self._database = database
        self._jobs = jobs

    async def write(self, tenant_id: str, summary: ConversationSummary) -> Kept:
        """Commits a summary and its job. NotFound if there is no such conversation, InvalidRequest
        if its messages are not there, Conflict if its kind covers them otherwise already."""
        require_whole(summary)
        database = await self._database.get()
        with written("summary"):
            async with database.transaction(tenant_id) as connection:
                kept = await self._write(connection, tenant_id, summary)
        if not kept.repeated:
            self._jobs.wake()
        return kept

    async def page(
        self, tenant_id: str, request: ListSummariesRequest
    ) -> tuple[list[ConversationSummary], str]:
        """A page of a conversation's summaries, the latest first, and the token of the next."""
        size = paging.size_of(request.page_size)
        place = paging.place_of(request.page_token, int, str)
        before = place or (paging.LARGEST_INTEGER, BEHIND_ALL)
        database = await self._database.get()
        rows = await database.rows(
            tenant_id,
            STATEMENTS.summaries_before,
            request.conversation_id,
            kind_of(request.kind),
            *before,
            size + 1,
        )
        shown = rows[:size]
        more = len(rows) > size
        token = paging.token_of(shown[-1]["last_sequence"], shown[-1]["id"]) if more else ""
        return [summary_of(row) for row in shown], token

    async def by_id(self, tenant_id: str, ids: Sequence[str]) -> list[ConversationSummary]:
        """Summaries in the order of `ids`; unknown ones are left out."""
        database = await self._database.get()
        rows = await database.rows(tenant_id, STATEMENTS.summaries_by_id, list(ids))
        return [summary_of(row) for row in rows]

    async def _write(
        self, connection: Connection, tenant_id: str, summary: ConversationSummary
    ) -> Kept:
        covered = await connection.fetchrow(STATEMENTS.covered, summary.conversation_id)
        if covered is None:
            raise NotFound(
                Reason.REASON_CONVERSATION_NOT_FOUND,
                "there is no such conversation",
                conversation_id=summary.conversation_id,
            )
        kind, first = kind_of(summary.kind), summary.message_range.first_sequence
        known = await connection.fetchrow(
            STATEMENTS.summary_at, summary.conversation_id, kind, first
        )
        if known is not None:
            require_same(summary, known)
            return Kept(summary_of(known), repeated=True)
        require_next(summary, covered[f"{kind}_through"])
        row = await _insert(connection, summary)
        await self._jobs.enqueue(connection, EmbedJob(tenant_id, (row["id"],)))
        return Kept(summary_of(row))


async def _insert(connection: Connection, summary: ConversationSummary) -> Record:
    covers, intents = summary.message_range, summary.participant_intents
    row = await connection.fetchrow(
        STATEMENTS.write_summary,
        new_id("sum"),
        summary.conversation_id,
        kind_of(summary.kind),
        summary.summary,
        list(summary.key_topics),
        [each.SerializeToString(deterministic=True) for each in intents],
        [f"{each.participant} {each.intent}" for each in intents],
        summary.model_used,
        covers.first_message_id,
        covers.last_message_id,
        covers.first_sequence,
        covers.last_sequence,
    )
    if row is None:
        raise unknown_messages()
    return row
