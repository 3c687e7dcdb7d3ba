"""Conversations: beginning, finding and listing them."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from kari.conversation_manager.v1.conversation_manager_pb2 import (
    ConversationUpdate,
    CreateConversationRequest,
    ListUpdatesRequest,
)
from kari.conversation_models.v1.conversation_pb2 import ContextSnapshot, Conversation
from servers.conversation_manager.conversation import (
    conversation_of,
    digest_of,
    require_same,
    unknown_conversation,
    update_of,
)
from servers.conversation_manager.tables import (
    QUERIES,
    conversation_for,
    visible_to,
)
from servers.runtime import paging
from servers.runtime.call import Principal
from servers.runtime.ids import new_id
from servers.runtime.postgres import Connection, Database
from servers.runtime.resources import Resource

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(9999, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


class Conversations:
    """What users see of their conversations; of others' they see nothing."""

    def __init__(self, database: Resource[Database]) -> None:
        self._database = database

    async def create(self, request: CreateConversationRequest, who: Principal) -> Conversation:
        """Begins a conversation; one with the same request id is given again."""
        digest = digest_of(who.user_id, request)
        database = await self._database.get()
        async with database.transaction(who.tenant_id) as connection:
            row = await connection.fetchrow(
                QUERIES.create_conversation,
                new_id("conv"),
                who.user_id,
                request.request_id,
                digest,
                request.title,
            )
            if row is not None:
                return conversation_of(row)
            return await _created_before(connection, request.request_id, who, digest)

    async def get(self, conversation_id: str, who: Principal) -> Conversation:
        """One conversation; NotFound unless the user takes part in it."""
        database = await self._database.get()
        row = await database.row(who.tenant_id, QUERIES.conversation, conversation_id)
        return visible_to(row, who.user_id)

    async def page(
        self, who: Principal, size: int, token: str
    ) -> tuple[Sequence[Conversation], str]:
        """The user's conversations, the latest first, and the token of the next page."""
        size = paging.size_of(size)
        place = paging.place_of(token, int, str)
        before = (_moment(int(place[0])), str(place[1])) if place else (LATEST, "")
        database = await self._database.get()
        rows = await database.rows(
            who.tenant_id, QUERIES.conversations_of, who.user_id, *before, size + 1
        )
        shown = [conversation_of(row) for row in rows[:size]]
        if len(rows) <= size:
            return shown, ""
        last = rows[size - 1]
        return shown, paging.token_of((last["updated_at"] - EPOCH) // MICROSECOND, last["id"])

    async def updates(
        self, request: ListUpdatesRequest, who: Principal
    ) -> tuple[Sequence[ConversationUpdate], str]:
        """The log of changes, the latest first, and the token of the next page."""
        conversation_id, size = request.conversation_id, paging.size_of(request.page_size)
        (before,) = paging.place_of(request.page_token, int) or (paging.LARGEST_INTEGER,)
        place = (conversation_id, before, size + 1)
        database = await self._database.get()
        async with database.transaction(who.tenant_id) as connection:
            await conversation_for(connection, conversation_id, who.user_id)
            if request.request_id:
                rows = await connection.fetch(
                    QUERIES.updates_of_request, *place, request.request_id
                )
            else:
                rows = await connection.fetch(QUERIES.updates_before, *place)
        more = len(rows) > size
        token = paging.token_of(rows[size - 1]["version"]) if more else ""
        return [update_of(row) for row in rows[:size]], token

    async def record_snapshot(
        self, conversation_id: str, snapshot: ContextSnapshot, who: Principal
    ) -> None:
        """Keeps what the last context was made of; the conversation was alive just now."""
        database = await self._database.get()
        recorded = await database.value(
            who.tenant_id,
            QUERIES.record_snapshot,
            conversation_id,
            snapshot.SerializeToString(),
            who.user_id,
        )
        if recorded is None:
            raise unknown_conversation()


async def _created_before(
    connection: Connection, request_id: str, who: Principal, digest: bytes
) -> Conversation:
    first = await connection.fetchrow(QUERIES.created_before, who.user_id, request_id)
    if first is None:
        raise LookupError("a conversation was in the way and is not there")
    require_same(first["request_digest"], digest)
    return await conversation_for(connection, first["id"], who.user_id)


def _moment(microseconds: int) -> datetime:
    """A moment of a page token, which anybody can forge: never outside what a datetime holds."""
    latest = (LATEST - EPOCH) // MICROSECOND
    return EPOCH + timedelta(microseconds=min(max(microseconds, 0), latest))
