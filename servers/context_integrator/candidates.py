"""Everything that may go into a prompt, as candidates. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from kari.conversation_models.v1.context_pb2 import MemoryItem, MemorySource
from kari.conversation_models.v1.conversation_pb2 import Conversation
from kari.conversation_models.v1.message_pb2 import Message
from kari.conversation_models.v1.search_pb2 import FileResult, SearchResult, SummaryResult
from servers.context_integrator.part import (
    DOMAIN,
    LONG_TERM,
    PINNED,
    RECENT,
    VAULT,
    Part,
    of_earlier,
    of_memory,
    of_message,
    of_result,
    of_summary,
)
from servers.context_integrator.pieces import AttachedFile, piece_candidates
from servers.context_integrator.ranking import Candidate, keywords, rated, recency_of


@dataclass(frozen=True)
class Findings:
    """What was found for a message: memories by source, pins, what a search gave of
    messages, summaries and files, and the files that came with the message."""

    memories: Sequence[MemoryItem] = ()
    pinned: Sequence[Message] = ()
    results: Sequence[SearchResult] = ()
    summaries: Sequence[SummaryResult] = ()
    pieces: Sequence[FileResult] = ()
    attached: Sequence[AttachedFile] = ()
    similarities: dict[str, float] = field(init=False)
    """Cosines by id, the larger one of what was found twice."""

    def __post_init__(self) -> None:
        known = dict[str, float]()
        for id_, similarity in _similarities(self):
            known[id_] = max(similarity, known.get(id_, 0.0))
        object.__setattr__(self, "similarities", known)


def pins(found: Findings, conversation: Conversation, current: Message) -> list[Candidate]:
    """The pinned messages that have a text and were said before the current one."""
    wanted = keywords(current.content)
    return [
        rated(of_message(m, PINNED), wanted, 0.0, found.similarities.get(m.id, 0.0))
        for m in found.pinned
        if m.sequence < current.sequence and m.content and m.id in conversation.pinned_message_ids
    ]


def offers(found: Findings, conversation: Conversation, current: Message) -> list[Candidate]:
    """All other candidates, each message, memory and summary once: as the recent message it is
    before as something recalled; then pieces of files. What came without its text is none."""
    wanted, now = keywords(current.content), current.timestamp.ToMilliseconds()
    recent = visible(_recent(found.memories), conversation, current)
    candidates = [
        rated(
            of_message(m, RECENT),
            wanted,
            (index + 1) / len(recent),
            found.similarities.get(m.id, 0.0),
        )
        for index, m in enumerate(recent)
    ]
    taken = {current.id, *conversation.pinned_message_ids, *(m.id for m in recent)}
    for part in _recalled(found, conversation):
        if not part.text or part.id in taken or _hidden(part, conversation, current):
            continue
        taken.add(part.id)
        similarity = found.similarities.get(part.id, 0.0)
        candidates.append(rated(part, wanted, recency_of(part.when, now), similarity))
    pieces = piece_candidates(found.pieces, found.attached, conversation, current)
    return [*candidates, *pieces]


def visible(
    recent: Iterable[Message], conversation: Conversation, current: Message
) -> list[Message]:
    """Recent messages that may be used: after the last clearing, before the current one, not
    pinned (those are in already)."""
    pinned = set(conversation.pinned_message_ids)
    cleared = conversation.context_cleared_through
    return [
        m
        for m in recent
        if cleared < m.sequence < current.sequence and m.id not in pinned and m.content
    ]


def _recent(memories: Iterable[MemoryItem]) -> list[Message]:
    short_term = MemorySource.MEMORY_SOURCE_SHORT_TERM
    return [item.message for item in memories if item.source == short_term]


def _recalled(found: Findings, conversation: Conversation) -> Iterator[Part]:
    """In a fixed order of sources; of what was found twice the first counts: of long messages a
    search gives the part that fits."""
    for result in found.results:
        part = of_result(result)
        here = result.conversation_id == conversation.id
        yield replace(part, source=LONG_TERM) if here else part
    for item in found.memories:
        if item.source == MemorySource.MEMORY_SOURCE_SHORT_TERM:
            continue
        if item.HasField("message"):
            yield of_earlier(item.message)
        elif item.HasField("summary"):
            yield of_summary(item.summary)
        elif item.HasField("memory"):
            mine = item.source == MemorySource.MEMORY_SOURCE_VAULT
            yield of_memory(item.memory, VAULT if mine else DOMAIN)
    for summary in found.summaries:
        yield of_summary(summary.summary)


def _hidden(part: Part, conversation: Conversation, current: Message) -> bool:
    """What was cleared stays out, and so does what was said after the message."""
    if part.conversation_id != conversation.id:
        return False
    cleared = conversation.context_cleared_through
    if part.covers != (0, 0):
        return part.covers[0] <= cleared or part.covers[1] >= current.sequence
    return not cleared < part.sequence < current.sequence


def _similarities(found: Findings) -> Iterator[tuple[str, float]]:
    for item in found.memories:
        if item.similarity:
            yield item.message.id or item.memory.id or item.summary.id, item.similarity
    for result in found.results:
        yield result.message_id, result.similarity
    for summary in found.summaries:
        yield summary.summary.id, summary.similarity
