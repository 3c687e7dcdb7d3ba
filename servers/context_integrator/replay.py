"""A prompt of the past, from its manifest and the texts that it names. Pure."""

from collections import defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from kari.conversation_models.v1.context_pb2 import (
    ContextBundle,
    ContextCandidate,
    ContextManifest,
    ContextVerdict,
)
from kari.conversation_models.v1.file_pb2 import TextChunk
from kari.conversation_models.v1.memory_pb2 import Memory
from kari.conversation_models.v1.message_pb2 import Message
from kari.conversation_models.v1.summary_pb2 import ConversationSummary
from servers.context_integrator.part import (
    SYSTEM,
    THREAD,
    Part,
    of_earlier,
    of_memory,
    of_message,
    of_piece,
    of_summary,
)
from servers.context_integrator.prompt import messages_of, prompt_hash

MOST_PIECES = 30
"""Of one call: the longest ones fit an answer whole."""
_IN_PROMPT = (ContextVerdict.CONTEXT_VERDICT_KEPT, ContextVerdict.CONTEXT_VERDICT_SHORTENED)


@dataclass(frozen=True)
class NamedPiece:
    """A piece of a file, and the file's name."""

    name: str
    chunk: TextChunk


@dataclass(frozen=True)
class Texts:
    """What could be found of what a manifest names, by id."""

    messages: Mapping[str, Message] = field(default_factory=dict)
    memories: Mapping[str, Memory] = field(default_factory=dict)
    summaries: Mapping[str, ConversationSummary] = field(default_factory=dict)
    pieces: Mapping[tuple[str, int], NamedPiece] = field(default_factory=dict)
    """By file and place."""


@dataclass(frozen=True)
class Replayed:
    """The prompt as it can be built today."""

    bundle: ContextBundle
    identical: bool
    missing_ids: Sequence[str]


def without(
    candidates: Iterable[ContextCandidate], conversation_ids: Container[str]
) -> list[ContextCandidate]:
    """The candidates that are not of these conversations."""
    return [c for c in candidates if c.conversation_id not in conversation_ids]


def in_prompt(manifest: ContextManifest) -> list[ContextCandidate]:
    """The candidates of which something is in the prompt, without the instructions."""
    return [c for c in manifest.candidates if c.verdict in _IN_PROMPT and c.source != SYSTEM]


def message_ids(
    candidates: Iterable[ContextCandidate], conversation_id: str
) -> dict[str, list[str]]:
    """Ids of the messages that candidates are, by conversation; the turn's own unless stated."""
    wanted: dict[str, list[str]] = defaultdict(list)
    for candidate in candidates:
        if candidate.message_id:
            wanted[candidate.conversation_id or conversation_id].append(candidate.message_id)
    return wanted


def piece_runs(
    candidates: Iterable[ContextCandidate], conversation_id: str
) -> list[tuple[str, str, int, int]]:
    """Which pieces of files candidates are: file, conversation through which it is read, first
    piece and number, for pieces that follow each other and can be asked for at once."""
    runs = list[tuple[str, str, int, int]]()
    wanted = {
        (c.file_id, c.conversation_id or conversation_id, c.chunk) for c in candidates if c.file_id
    }
    for file_id, through, chunk in sorted(wanted):
        if runs and runs[-1][:2] == (file_id, through):
            first, count = runs[-1][2:]
            if chunk == first + count and count < MOST_PIECES:
                runs[-1] = (file_id, through, first, count + 1)
                continue
        runs.append((file_id, through, chunk, 1))
    return runs


def replayed(manifest: ContextManifest, texts: Texts) -> Replayed:
    """Builds the prompt again, and compares it with the hash of the one that was used."""
    parts, missing = list[Part](), list[str]()
    for candidate in in_prompt(manifest):
        part = _part(candidate, texts)
        if part is None:
            missing.append(_id(candidate))
        else:
            parts.append(part)
    messages = messages_of(manifest.instructions, parts)
    identical = not missing and prompt_hash(messages) == manifest.prompt_hash
    bundle = ContextBundle(messages=messages, manifest=manifest)
    return Replayed(bundle, identical, list(dict.fromkeys(missing)))


def _part(candidate: ContextCandidate, texts: Texts) -> Part | None:
    """The part of a candidate; None if it is gone."""
    id_ = _id(candidate)
    if candidate.memory_id:
        memory = texts.memories.get(id_)
        return of_memory(memory, candidate.source) if memory else None
    if candidate.summary_id:
        summary = texts.summaries.get(id_)
        return of_summary(summary) if summary else None
    if candidate.file_id:
        piece = texts.pieces.get((candidate.file_id, candidate.chunk))
        if piece is None:
            return None
        return of_piece(candidate.file_id, piece.name, piece.chunk, characters=candidate.characters)
    message = texts.messages.get(id_)
    return _said(message, candidate) if message else None


def _said(message: Message, candidate: ContextCandidate) -> Part:
    if candidate.source not in THREAD:
        quoted = of_earlier(message, candidate.start, candidate.characters)
        return replace(quoted, source=candidate.source)
    part = of_message(message, candidate.source)
    if candidate.verdict == ContextVerdict.CONTEXT_VERDICT_SHORTENED:
        return replace(part, text=part.text[: candidate.characters])
    return part


def _id(candidate: ContextCandidate) -> str:
    return candidate.memory_id or candidate.summary_id or candidate.file_id or candidate.message_id
