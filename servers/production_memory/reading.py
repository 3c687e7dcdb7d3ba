"""Reading turns and messages."""

from collections.abc import Sequence
from dataclasses import dataclass

from kari.conversation_models.v1.context_pb2 import ContextManifest
from kari.conversation_models.v1.message_pb2 import Message
from kari.conversation_models.v1.turn_pb2 import Turn
from kari.production_memory.v1.production_memory_pb2 import ListMessagesRequest
from servers.production_memory.buffering import Buffering
from servers.production_memory.message import message_of
from servers.production_memory.tables import QUERIES, message, turn_row, turn_with_pending
from servers.production_memory.turn import manifest_of
from servers.runtime import paging
from servers.runtime.postgres import Database
from servers.runtime.resources import Resource

# Bytes of text in one response. gRPC takes 4 MiB; what stands beside the texts is far less.
PAGE_BYTES = 2 * 1024 * 1024


@dataclass(frozen=True)
class Page:
    """A page of messages, the latest first, and the turn under way."""

    messages: Sequence[Message]
    next_page_token: str
    active_turn: Turn | None


class Reading:
    """Reads what one tenant may see. Who takes part is the conversation manager's to know."""

    def __init__(self, database: Resource[Database], buffering: Buffering) -> None:
        self._database = database
        self._buffering = buffering

    async def turn(self, tenant_id: str, turn_id: str) -> tuple[Turn, Message | None]:
        """A turn and its answer, if it has one; NotFound if there is no such turn."""
        database = await self._database.get()
        async with database.transaction(tenant_id) as connection:
            row = await turn_row(connection, turn_id)
            answer = await message(connection, row["assistant_message_id"])
            return await turn_with_pending(connection, row), answer

    async def manifest(self, tenant_id: str, turn_id: str) -> tuple[Turn, ContextManifest | None]:
        """A turn and the manifest of its context, if it has come that far; NotFound as above."""
        database = await self._database.get()
        async with database.transaction(tenant_id) as connection:
            row = await turn_row(connection, turn_id)
            return await turn_with_pending(connection, row), manifest_of(row)

    async def page(self, tenant_id: str, request: ListMessagesRequest) -> Page:
        """Messages before the place of the token, or up to a sequence, the latest first: at most a
        page of them and PAGE_BYTES of text, but one at least."""
        conversation_id, size = request.conversation_id, paging.size_of(request.page_size)
        last = request.through_sequence or paging.LARGEST_INTEGER
        (before,) = paging.place_of(request.page_token, int) or (_behind(last),)
        database = await self._database.get()
        async with database.transaction(tenant_id) as connection:
            rows = await connection.fetch(
                QUERIES.messages_before, conversation_id, before, size, PAGE_BYTES
            )
            active = await connection.fetchrow(QUERIES.active_turn, conversation_id)
            active_turn = await turn_with_pending(connection, active) if active else None
        # Sequences begin at 1 and have no gaps.
        more = bool(rows) and rows[-1]["sequence"] > 1
        return Page(
            [message_of(row) for row in rows],
            paging.token_of(rows[-1]["sequence"]) if more else "",
            active_turn,
        )

    async def by_id(
        self, tenant_id: str, conversation_id: str, ids: Sequence[str]
    ) -> list[Message]:
        """Messages of a conversation in the order of `ids`; unknown ones are left out. Those after
        PAGE_BYTES of text come without theirs."""
        database = await self._database.get()
        rows = await database.rows(
            tenant_id, QUERIES.messages_by_id, conversation_id, list(ids), PAGE_BYTES
        )
        return [message_of(row) for row in rows]

    async def recent(
        self, tenant_id: str, conversation_id: str, through_sequence: int, limit: int
    ) -> list[Message]:
        """The last messages up to a sequence, the oldest first: at most `limit` of them and
        PAGE_BYTES of text, but one at least. Whoever asks here found them missing in the session
        buffer, so they are put there."""
        database = await self._database.get()
        before = _behind(through_sequence)
        rows = await database.rows(
            tenant_id, QUERIES.messages_before, conversation_id, before, limit, PAGE_BYTES
        )
        messages = [message_of(row) for row in reversed(rows)]
        await self._buffering.keep(tenant_id, messages)
        return messages


def _behind(sequence: int) -> int:
    """The place behind a sequence."""
    return min(sequence, paging.LARGEST_INTEGER - 1) + 1
