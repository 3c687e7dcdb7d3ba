"""The text of a file as it was extracted. Pure."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from kari.conversation_models.v1.file_pb2 import TextChunk

# What a job that reads a file gives, by the first byte of each piece.
TEXT, FACTS, LEFT_OUT = b"T", b"M", b"W"


@dataclass
class Extracted:
    """Text in order, with its places; what else was found; what was left out, a sentence each."""

    segments: list[TextChunk] = field(default_factory=list)
    facts: dict[str, object] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    no_caption_because: str = ""
    """Why nobody says what a picture shows: its own text may be there all the same."""
    caption_later: bool = False
    """Whether somebody may say it in a while."""
    caption_asked: int = 0
    """How often it was asked for again."""

    def add(self, piece: bytes) -> None:
        """Takes a piece that a job gave."""
        kind, data = piece[:1], piece[1:]
        if kind == TEXT:
            self.segments.append(TextChunk.FromString(data))
        elif kind == FACTS:
            self.facts |= json.loads(data)
        else:
            self.left_out.append(data.decode())

    @property
    def missing(self) -> list[str]:
        """All that people are told of as missing."""
        return [*self.left_out, *filter(None, [self.no_caption_because])]

    @property
    def characters(self) -> int:
        """How much text there is."""
        return sum(len(segment.text) for segment in self.segments)


def text(segment: TextChunk) -> bytes:
    """A piece that holds text."""
    return TEXT + segment.SerializeToString()


def facts(found: Mapping[str, object]) -> bytes:
    """A piece that holds what else is known."""
    cleaned = {name: clean(v) if isinstance(v, str) else v for name, v in found.items()}
    return FACTS + json.dumps(cleaned).encode()


def left_out(sentence: str) -> bytes:
    """A piece that says what is missing."""
    return LEFT_OUT + clean(sentence).encode()


def clean(text: str) -> str:
    """Text without what neither messages nor stores take: NUL and lone surrogates."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def told(sentences: Sequence[str]) -> str:
    """Several sentences as one explanation, of a length that people read."""
    shown = "; ".join(dict.fromkeys(sentences))
    return shown if len(shown) <= 400 else f"{shown[:399]}…"
