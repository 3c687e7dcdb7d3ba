"""What a prompt is made of, wherever it comes from. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from kari.conversation_models.v1.context_pb2 import ContextSource
from kari.conversation_models.v1.file_pb2 import TextChunk
from kari.conversation_models.v1.memory_pb2 import Memory
from kari.conversation_models.v1.message_pb2 import Message, MessageRole
from kari.conversation_models.v1.search_pb2 import SearchResult
from kari.conversation_models.v1.summary_pb2 import ConversationSummary
from servers.context_integrator.place import place_of

SYSTEM = ContextSource.CONTEXT_SOURCE_SYSTEM
CURRENT = ContextSource.CONTEXT_SOURCE_CURRENT
PINNED = ContextSource.CONTEXT_SOURCE_PINNED
RECENT = ContextSource.CONTEXT_SOURCE_RECENT
LONG_TERM = ContextSource.CONTEXT_SOURCE_LONG_TERM
PAST_THREAD = ContextSource.CONTEXT_SOURCE_PAST_THREAD
VAULT = ContextSource.CONTEXT_SOURCE_VAULT
DOMAIN = ContextSource.CONTEXT_SOURCE_DOMAIN
SUMMARY = ContextSource.CONTEXT_SOURCE_SUMMARY
FILE = ContextSource.CONTEXT_SOURCE_FILE

THREAD = frozenset({CURRENT, PINNED, RECENT})
"""What goes into a prompt as the messages they are; the rest is quoted in the system message."""

EXCERPT_CHARACTERS = 600
"""As much of a message is quoted as a search shows."""
PIECE_CHARACTERS = 2000
"""As much of a piece of a file is quoted: usual ones have half of that."""

_SPEAKERS: Mapping[int, str] = {
    MessageRole.MESSAGE_ROLE_ASSISTANT: "Assistant",
    MessageRole.MESSAGE_ROLE_SYSTEM: "System",
    MessageRole.MESSAGE_ROLE_TOOL: "Tool",
}
_MARKS = str.maketrans("", "", "\x02\x03")


@dataclass(frozen=True, slots=True)
class Part:
    """Something that may be in a prompt. `when` is Unix time in milliseconds and `who` has a name,
    both for what is quoted; `sequence` is the place in the conversation, 0 if it has none."""

    source: ContextSource.ValueType
    id: str
    text: str
    role: MessageRole.ValueType = MessageRole.MESSAGE_ROLE_UNSPECIFIED
    sequence: int = 0
    conversation_id: str = ""
    when: int = 0
    who: str = ""
    start: int = 0
    """Where `text` begins in the whole text, in characters."""
    covers: tuple[int, int] = (0, 0)
    """First and last place of the messages that a summary stands for."""
    chunk: int = 0
    """Which piece of a file it is; `id` is the file then, `who` its name."""
    where: str = ""
    """Where a piece stands in its file, in words."""


def of_message(message: Message, source: ContextSource.ValueType) -> Part:
    """A message of the conversation itself, whole."""
    return Part(source, message.id, message.content, role=message.role, sequence=message.sequence)


def of_earlier(message: Message, start: int = 0, characters: int = EXCERPT_CHARACTERS) -> Part:
    """A message that is quoted: the stretch of it that is wanted, without the control characters
    that a search leaves out."""
    text = message.content.translate(_MARKS)[start : start + characters]
    return Part(
        LONG_TERM,
        message.id,
        text,
        role=message.role,
        sequence=message.sequence,
        conversation_id=message.conversation_id,
        when=message.timestamp.ToMilliseconds(),
        who=message.author or _SPEAKERS.get(message.role, "User"),
        start=start,
    )


def of_result(result: SearchResult) -> Part:
    """A message that was found."""
    return Part(
        PAST_THREAD,
        result.message_id,
        result.content,
        role=result.role,
        sequence=result.sequence,
        conversation_id=result.conversation_id,
        when=result.timestamp.ToMilliseconds(),
        who=result.author or _SPEAKERS.get(result.role, "User"),
        start=result.start,
    )


def of_memory(memory: Memory, source: ContextSource.ValueType) -> Part:
    """Something that is remembered."""
    return Part(source, memory.id, memory.content, when=memory.valid_from.ToMilliseconds())


def of_summary(summary: ConversationSummary) -> Part:
    """What a stretch of a conversation was about."""
    covered = summary.message_range
    return Part(
        SUMMARY,
        summary.id,
        summary.summary,
        conversation_id=summary.conversation_id,
        when=summary.created_at.ToMilliseconds(),
        covers=(covered.first_sequence, covered.last_sequence),
    )


def of_piece(
    file_id: str,
    name: str,
    chunk: TextChunk,
    conversation_id: str = "",
    characters: int = PIECE_CHARACTERS,
) -> Part:
    """A piece of a file: its beginning, without the control characters that a search leaves out.
    `conversation_id` is the one through which it may be read."""
    return Part(
        FILE,
        file_id,
        chunk.text.translate(_MARKS)[:characters],
        conversation_id=conversation_id,
        who=name,
        chunk=chunk.index,
        where=place_of(chunk.anchor, name),
    )
