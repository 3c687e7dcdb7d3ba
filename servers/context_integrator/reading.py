"""Reading messages whole."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kari.conversation_models.v1.message_pb2 import Message
from kari.production_memory.v1.production_memory_pb2 import GetMessagesRequest

if TYPE_CHECKING:
    from kari.production_memory.v1.production_memory_pb2_grpc import (
        ProductionMemoryServiceAsyncStub,
    )

MOST_MESSAGES = 200
"""As many as production memory gives at once."""


async def whole_messages(
    production_memory: "ProductionMemoryServiceAsyncStub",
    conversation_id: str,
    ids: Sequence[str],
) -> list[Message]:
    """Messages of a conversation with their texts, asked for again as often as there are more than
    one answer holds: it gives long texts up to a limit, but one at least. Those that have no text
    are left out."""
    found, left = list[Message](), list(ids)
    while left:
        response = await production_memory.GetMessages(
            GetMessagesRequest(conversation_id=conversation_id, message_ids=left[:MOST_MESSAGES])
        )
        texts = [message for message in response.messages if message.content]
        found += texts
        # An answer without any text has messages only that are empty themselves.
        without = [m.id for m in response.messages if texts and not m.content]
        left = without + left[MOST_MESSAGES:]
    return found
