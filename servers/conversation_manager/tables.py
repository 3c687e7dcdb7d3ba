"""The statements of this server, and rows that several of them read."""

from pathlib import Path

from asyncpg import Record

from kari.conversation_models.v1.conversation_pb2 import Conversation
from servers.conversation_manager.conversation import (
    conversation_of,
    require_participant,
    unknown_conversation,
)
from servers.runtime.postgres import Connection
from servers.runtime.queries import Queries

QUERIES = Queries(Path(__file__).with_name("queries.sql"))


async def conversation_for(
    connection: Connection, conversation_id: str, user_id: str
) -> Conversation:
    """A conversation of which the user is a participant; else NotFound."""
    return visible_to(await connection.fetchrow(QUERIES.conversation, conversation_id), user_id)


def visible_to(row: Record | None, user_id: str) -> Conversation:
    """The conversation of a row, to one who takes part in it; else NotFound."""
    if row is None:
        raise unknown_conversation()
    conversation = conversation_of(row)
    require_participant(conversation.participant_ids, user_id)
    return conversation


async def locked_conversation_for(
    connection: Connection, conversation_id: str, user_id: str
) -> Conversation:
    """The same, locked until the transaction ends. Locked first, then read: a statement that had
    to wait for the lock would show participants as they were before."""
    await connection.fetchval(QUERIES.lock_conversation, conversation_id)
    return await conversation_for(connection, conversation_id, user_id)
