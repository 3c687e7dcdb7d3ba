"""Pieces of files, as candidates. Pure.

What came with the message is asked for, whether it has words of it or not: then its beginning goes
first. So is a file that the message names. All others have to fit.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kari.conversation_models.v1.conversation_pb2 import Conversation
from kari.conversation_models.v1.file_pb2 import TextChunk
from kari.conversation_models.v1.message_pb2 import Message
from kari.conversation_models.v1.search_pb2 import FileResult
from servers.context_integrator.part import Part, of_piece
from servers.context_integrator.ranking import Candidate, keywords, rated
from servers.runtime.file_names import mentions


@dataclass(frozen=True)
class AttachedFile:
    """A file that came with the message: its beginning, and the pieces of it that fit."""

    file_id: str
    name: str
    beginning: Sequence[TextChunk] = ()
    fitting: Sequence[FileResult] = ()


def piece_candidates(
    pieces: Sequence[FileResult],
    attached: Sequence[AttachedFile],
    conversation: Conversation,
    current: Message,
) -> list[Candidate]:
    """All pieces, each once, those of the message's own files first. One without text is none."""
    wanted, taken = keywords(current.content), set[tuple[str, int]]()
    found = list[Candidate]()
    for part, similarity, asked_for in _parts(pieces, attached, conversation, current):
        if not part.text.strip() or (part.id, part.chunk) in taken:
            continue
        taken.add((part.id, part.chunk))
        # What is asked for is read from its beginning, where nothing else decides.
        recency = 1 / (1 + part.chunk) if asked_for else 0.0
        found.append(rated(part, wanted, recency, similarity, asked_for=asked_for))
    return found


def _parts(
    pieces: Sequence[FileResult],
    attached: Sequence[AttachedFile],
    conversation: Conversation,
    current: Message,
) -> Iterator[tuple[Part, float, bool]]:
    """Parts, their similarities, and whether they are asked for."""
    here = conversation.id
    for file in attached:
        for result in file.fitting:
            yield of_piece(file.file_id, file.name, result.chunk, here), result.similarity, True
        for chunk in file.beginning:
            yield of_piece(file.file_id, file.name, chunk, here), 0.0, True
    own = {file.file_id for file in attached}
    for result in pieces:
        named = mentions(current.content, result.name)
        cleared = conversation.context_cleared_through and result.conversation_id == here
        if result.file_id in own or (cleared and not named):
            continue
        part = of_piece(result.file_id, result.name, result.chunk, result.conversation_id)
        yield part, result.similarity, named
