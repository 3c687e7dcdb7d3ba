"""Bytes gathered into steps of an upload, each copied once. Pure."""

from collections.abc import Callable, Iterator

from servers.runtime.chunk import Chunk, Gathered

PIECE_BYTES = 1024 * 1024
MOST_BYTES = 2 * PIECE_BYTES
"""What the contract lets one step of an upload have."""


LONGEST_SECONDS = 10.0
"""How long bytes wait for others: of a slow line they are passed on as they come, or who takes them
would think that nothing does."""


class Pieces:
    """Chunks as they come, of any size; pieces of about a mebibyte, or of LONGEST_SECONDS by the
    clock."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._gathered = Gathered()
        self._clock = clock
        self._since = clock()

    def add(self, chunk: bytes | memoryview) -> None:
        """Takes a chunk in."""
        self._gathered.add(chunk)

    def full(self) -> Iterator[Chunk]:
        """A piece, if there is enough for one, or the last was long ago."""
        late = self._clock() - self._since > LONGEST_SECONDS
        if late or self._gathered.size >= PIECE_BYTES:
            yield from self.rest()

    def rest(self) -> Iterator[Chunk]:
        """All there is."""
        self._since = self._clock()
        size, chunks = self._gathered.size, self._gathered.take()
        if 0 < size <= MOST_BYTES:
            yield Chunk.of(chunks)
        elif size:
            data = memoryview(b"".join(chunks))
            for at in range(0, size, PIECE_BYTES):
                yield Chunk.of([data[at : at + PIECE_BYTES]])
