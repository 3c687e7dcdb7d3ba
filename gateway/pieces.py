"""Bytes gathered into steps of an upload, each copied once. Pure."""

from collections.abc import Iterator

from servers.runtime.chunk import Chunk, Gathered

PIECE_BYTES = 1024 * 1024
MOST_BYTES = 2 * PIECE_BYTES
"""What the contract lets one step of an upload have."""


class Pieces:
    """Chunks as they come, of any size; pieces of about a mebibyte."""

    def __init__(self) -> None:
        self._gathered = Gathered()

    def add(self, chunk: bytes | memoryview) -> None:
        """Takes a chunk in."""
        self._gathered.add(chunk)

    def full(self) -> Iterator[Chunk]:
        """A piece, if there is enough for one."""
        if self._gathered.size >= PIECE_BYTES:
            yield from self.rest()

    def rest(self) -> Iterator[Chunk]:
        """All there is."""
        size, chunks = self._gathered.size, self._gathered.take()
        if 0 < size <= MOST_BYTES:
            yield Chunk.of(chunks)
        elif size:
            data = memoryview(b"".join(chunks))
            for at in range(0, size, PIECE_BYTES):
                yield Chunk.of([data[at : at + PIECE_BYTES]])
