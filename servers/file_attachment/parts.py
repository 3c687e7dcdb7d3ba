"""A file in parts: where its bytes lie. Pure.

Parts are as they were received: of 8 MiB, but for those at which an upload was cut. They are never
put together, so that nothing is written twice and every store that takes objects will do.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

PART_BYTES = 8 * 1024 * 1024
PIECE_BYTES = 1024 * 1024
"""What is read and sent at once."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Some bytes of one part: its key, the first byte within it, how many."""

    key: str
    start: int
    length: int


@dataclass(frozen=True)
class Layout:
    """Where the bytes of a file lie: below the tenant's and its own prefix."""

    tenant_id: str
    prefix: str
    names: Sequence[str]
    sizes: Sequence[int]

    @property
    def folder(self) -> str:
        """What the keys of all its parts begin with."""
        return folder(self.tenant_id, self.prefix)

    def pieces(self, offset: int, length: int) -> Iterator[Piece]:
        """Where the bytes from `offset` on lie, in order, in pieces of at most a mebibyte."""
        return pieces([f"{self.folder}{n}" for n in self.names], self.sizes, offset, length)


def folder(tenant_id: str, prefix: str) -> str:
    """What the keys of a file's parts begin with; a tenant's objects lie together."""
    return f"{tenant_id}/{prefix}/"


def name(number: int, writer: str) -> str:
    """Name of a part. The writer is in it: a call that was cut and one that goes on may both be
    writing the part of a number, and only one of them is noted."""
    return f"{number:06}-{writer}"


def pieces(keys: Sequence[str], sizes: Sequence[int], offset: int, length: int) -> Iterator[Piece]:
    """Where the bytes from `offset` on lie in parts of these keys and sizes."""
    begin, end = 0, offset + length
    for part, size in zip(keys, sizes, strict=True):
        at, stop = max(offset, begin), min(end, begin + size)
        while at < stop:
            count = min(PIECE_BYTES, stop - at)
            yield Piece(part, at - begin, count)
            at += count
        begin += size
