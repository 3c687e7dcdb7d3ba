"""Messages as memory candidates. Pure."""

from collections.abc import Sequence

from kari.conversation_models.v1.context_pb2 import MemoryItem, MemorySource
from kari.conversation_models.v1.message_pb2 import Message


def short_term(messages: Sequence[Message]) -> list[MemoryItem]:
    """Recent messages as candidates. The score is recency: 1 for the latest, falling evenly
    towards 0 for the oldest of them. Their texts are in the messages: not twice on the wire."""
    count = len(messages)
    return [
        MemoryItem(
            source=MemorySource.MEMORY_SOURCE_SHORT_TERM,
            score=(index + 1) / count,
            timestamp=message.timestamp,
            message=message,
        )
        for index, message in enumerate(messages)
    ]
