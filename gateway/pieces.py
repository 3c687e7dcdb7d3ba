"""Bytes gathered into pieces, each copied once. Pure."""

from collections.abc import Iterator

PIECE_BYTES = 1024 * 1024
MOST_BYTES = 2 * PIECE_BYTES
"""What the contract lets one step of an upload have."""


class Pieces:
    """Chunks as they come, of any size; pieces of about a mebibyte."""

    def __init__(self) -> None:
        self._chunks: list[bytes] = []
        self._size = 0

    def add(self, chunk: bytes) -> None:
        """Takes a chunk in."""
        self._chunks.append(chunk)
        self._size += len(chunk)

    def full(self) -> Iterator[bytes]:
        """A piece, if there is enough for one."""
        if self._size >= PIECE_BYTES:
            yield from self.rest()

    def rest(self) -> Iterator[bytes]:
        """All there is."""
        chunks, self._chunks, self._size = self._chunks, [], 0
        data = b"".join(chunks)
        if len(data) <= MOST_BYTES:
            if data:
                yield data
            return
        for at in range(0, len(data), PIECE_BYTES):
            yield data[at : at + PIECE_BYTES]
