"""Conversations and memories to assemble prompts from. A word is a token here."""

from collections.abc import Sequence

from kari.context_integrator.v1.context_integrator_pb2 import AssembleRequest
from kari.conversation_models.v1.context_pb2 import ContextBundle, MemoryItem, MemorySource
from kari.conversation_models.v1.conversation_pb2 import Conversation
from kari.conversation_models.v1.memory_pb2 import Memory
from kari.conversation_models.v1.message_pb2 import Message, MessageRole
from kari.conversation_models.v1.search_pb2 import SearchResult
from kari.conversation_models.v1.summary_pb2 import ConversationSummary, MessageRange
from servers.context_integrator.assembly import assemble
from servers.context_integrator.candidates import Findings

USER = MessageRole.MESSAGE_ROLE_USER
DAY = 86_400_000
NOW = 1_767_225_600_000
"""The first of January 2026, in milliseconds."""
MANY_WORDS = "wombats build long burrows under eucalyptus trees beside rivers near quiet towns"


def count(text: str) -> int:
    """A word is a token."""
    return len(text.split())


def shorten(text: str, tokens: int) -> str:
    """The first words of a text."""
    return " ".join(text.split()[:tokens])


def message(sequence: int, content: str, conversation: int = 0) -> Message:
    """A user's message in a conversation."""
    made = Message(
        id=f"msg_{conversation:016x}{sequence:016x}",
        conversation_id=f"conv_{conversation:032x}",
        sequence=sequence,
        role=USER,
        content=content,
    )
    made.timestamp.FromMilliseconds(NOW)
    return made


def recent(*messages: Message) -> list[MemoryItem]:
    """Messages as short-term memory gives them."""
    source = MemorySource.MEMORY_SOURCE_SHORT_TERM
    return [MemoryItem(source=source, message=each) for each in messages]


def earlier(message: Message, similarity: float) -> MemoryItem:
    """A message as long-term memory gives it."""
    source = MemorySource.MEMORY_SOURCE_LONG_TERM
    return MemoryItem(source=source, message=message, similarity=similarity)


def known(id_: str, content: str, similarity: float) -> MemoryItem:
    """Something that is remembered of the user."""
    memory = Memory(id=id_, content=content)
    memory.valid_from.FromMilliseconds(NOW)
    source = MemorySource.MEMORY_SOURCE_VAULT
    return MemoryItem(source=source, memory=memory, similarity=similarity)


def summary(number: int, first: int, last: int, text: str) -> MemoryItem:
    """A summary of a stretch of the conversation."""
    made = ConversationSummary(
        id=f"sum_{number:032x}",
        conversation_id=f"conv_{0:032x}",
        summary=text,
        message_range=MessageRange(first_sequence=first, last_sequence=last),
    )
    made.created_at.FromMilliseconds(NOW)
    return MemoryItem(source=MemorySource.MEMORY_SOURCE_LONG_TERM, summary=made)


def found(
    *memories: MemoryItem, results: Sequence[tuple[Message, float]] = ()
) -> tuple[Sequence[MemoryItem], Sequence[SearchResult]]:
    """Memories, and messages that a search found with their similarities."""
    return memories, [
        SearchResult(
            message_id=each.id,
            conversation_id=each.conversation_id,
            content=each.content,
            role=each.role,
            author=each.author,
            sequence=each.sequence,
            timestamp=each.timestamp,
            similarity=similarity,
        )
        for each, similarity in results
    ]


NOTHING = found()


def assembled(
    thread: Sequence[MemoryItem],
    current: str = "what now",
    budget: int = 1000,
    pinned: Sequence[Message] = (),
    found_: tuple[Sequence[MemoryItem], Sequence[SearchResult]] = NOTHING,
    **conversation: object,
) -> ContextBundle:
    """The prompt of message 1000 of conversation 0."""
    memories, results = found_
    request = AssembleRequest(
        conversation=Conversation(
            id=f"conv_{0:032x}",
            pinned_message_ids=[m.id for m in pinned],
            **conversation,  # type: ignore[arg-type]
        ),
        current_message=message(1000, current),
        budget_tokens=budget,
    )
    findings = Findings([*thread, *memories], pinned, results)
    return assemble(request, findings, count, shorten)


def texts(bundle: ContextBundle) -> list[str]:
    """What follows the system message."""
    return [m.content for m in bundle.messages[1:]]
