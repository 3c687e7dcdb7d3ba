"""Pieces of a document's text, and how much of it is read. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from kari.conversation_models.v1.file_pb2 import TextChunk
from servers.hook_enabled_file import extracted


@dataclass(frozen=True)
class Bounds:
    """How much of a document is read."""

    pages: int = 2000
    characters: int = 8_000_000
    rows: int = 200_000


def behind(stream: IO[bytes], bounds: Bounds) -> Iterator[bytes]:
    """That there is more than was read of a file that is text."""
    if stream.read(1):
        yield extracted.left_out(f"only the first {bounds.characters} bytes were read")


def segment(text: str, **place: int) -> bytes:
    """A piece of text at a page or a line."""
    chunk = TextChunk(text=extracted.clean(text))
    for name, number in place.items():
        setattr(chunk.anchor, name, number)
    return extracted.text(chunk)
