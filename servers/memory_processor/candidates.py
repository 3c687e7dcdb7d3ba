"""What sources found, as memory candidates. Their texts are in the messages, memories and summaries
themselves: not twice on the wire. Pure."""

from collections.abc import Iterable, Mapping, Sequence

from kari.conversation_models.v1.context_pb2 import MemoryItem, MemorySource
from kari.conversation_models.v1.message_pb2 import Message
from kari.conversation_models.v1.summary_pb2 import ConversationSummary
from kari.production_memory.v1.production_memory_pb2 import RecalledMemory

LONG_TERM = MemorySource.MEMORY_SOURCE_LONG_TERM


def recent(messages: Sequence[Message]) -> list[MemoryItem]:
    """Recent messages. The score is recency: 1 for the latest, falling evenly towards 0 for the
    oldest of them."""
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


def earlier(
    messages: Iterable[Message],
    summaries: Iterable[ConversationSummary],
    cosines: Mapping[str, float],
) -> list[MemoryItem]:
    """Earlier messages and summaries, the nearest first. The score is the cosine of their vector
    and the query's, 0 for a summary that is not among the nearest."""
    found = [
        *(
            _near(MemoryItem(timestamp=m.timestamp, message=m), cosines.get(m.id, 0.0))
            for m in messages
        ),
        *(
            _near(MemoryItem(timestamp=s.created_at, summary=s), cosines.get(s.id, 0.0))
            for s in summaries
        ),
    ]
    return sorted(found, key=lambda item: (-item.score, item.message.id, item.summary.id))


def remembered(
    memories: Iterable[RecalledMemory], kind: MemorySource.ValueType
) -> list[MemoryItem]:
    """Memories, in their order. The score is their relevance."""
    return [
        MemoryItem(
            source=kind,
            score=each.relevance,
            similarity=each.similarity,
            timestamp=each.memory.valid_from,
            memory=each.memory,
        )
        for each in memories
    ]


def _near(item: MemoryItem, cosine: float) -> MemoryItem:
    item.source = LONG_TERM
    item.score = item.similarity = max(0.0, cosine)
    return item
