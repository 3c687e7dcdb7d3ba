"""Taking in what was said elsewhere."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from google.protobuf.timestamp_pb2 import Timestamp

from kari.conversation_models.v1.message_pb2 import MessageRole
from kari.production_memory.v1.production_memory_pb2 import (
    ImportedMessage,
    ImportMessagesRequest,
    ImportMessagesResponse,
)
from servers.runtime.ids import new_id
from tests.production_memory.memory import Memory

FIRST = datetime(2023, 5, 8, 14, tzinfo=UTC)


async def import_lines(
    memory: Memory, lines: Sequence[str], first: datetime = FIRST
) -> ImportMessagesResponse:
    """Lines such as `Ada: hello`, a minute apart; those of `Kari` are the assistant's."""
    messages = []
    for place, line in enumerate(lines):
        author, _, content = line.partition(": ")
        when = Timestamp()
        when.FromDatetime(first + timedelta(minutes=place))
        role = (
            MessageRole.MESSAGE_ROLE_ASSISTANT
            if author == "Kari"
            else MessageRole.MESSAGE_ROLE_USER
        )
        messages.append(ImportedMessage(role=role, content=content, timestamp=when, author=author))
    return await memory.stub.ImportMessages(
        ImportMessagesRequest(
            conversation_id=memory.conversation_id, request_id=new_id("req"), messages=messages
        )
    )
