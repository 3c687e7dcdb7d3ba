"""Where the bytes of a job's file come from."""

from typing import Protocol


class Source(Protocol):
    """A file whose bytes can be read from any place on."""

    @property
    def size(self) -> int:
        """Its size in bytes."""

    async def read(self, offset: int, length: int) -> bytes:
        """Bytes from `offset` on: `length` of them, or as many as there are."""


class BytesSource:
    """A file that is in memory."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    @property
    def size(self) -> int:
        """Its size in bytes."""
        return len(self._data)

    async def read(self, offset: int, length: int) -> bytes:
        """Bytes from `offset` on."""
        return self._data[offset : offset + length]
