"""A file in parts: where its bytes lie. Pure.

Parts are as they were received: of 4 MiB, smaller while many uploads are under way or where one was
cut. Nothing is put together in the end, so that every store that takes objects will do; small parts
are written again with what comes behind them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

PART_BYTES = 4 * 1024 * 1024
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


def merged(sizes: Sequence[int], new: int, most: int) -> int:
    """How many of the last parts, of these sizes, are written again in front of `new` bytes: those
    that are no larger than what follows them, as long as all of it is at most `most`. So the sizes
    of small parts fall by half, and each byte is written again a few times, however small the calls
    are."""
    count, total = 0, new
    for size in reversed(sizes):
        if size > total or size + total > most:
            break
        total += size
        count += 1
    return count


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
