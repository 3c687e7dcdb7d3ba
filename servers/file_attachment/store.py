"""Where bytes are kept: a Protocol; store_objects.py has the real one."""

from collections.abc import Sequence
from typing import Protocol

from servers.runtime.chunk import Piece


class Objects(Protocol):
    """Objects by key. Raises Unavailable if the store does not answer or is full."""

    async def put(self, key: str, pieces: Sequence[Piece]) -> None:
        """Keeps an object of these pieces, durable when this returns; one of the same key is
        replaced."""

    async def read(self, key: str, start: int, length: int) -> bytes:
        """Bytes of an object. NotFound if there is no such object."""

    async def names(self, prefix: str) -> frozenset[str]:
        """Of the objects below a prefix that ends with a slash, what follows it in their keys."""

    async def drop(self, key: str) -> None:
        """Erases one object, if it is there."""

    async def erase(self, prefix: str) -> None:
        """Erases all objects whose keys begin with a prefix that ends with a slash, and what writes
        below it have left that were cut off."""

    async def tidy(self) -> None:
        """Erases what writes that were cut off have left anywhere."""

    async def ping(self) -> None:
        """Raises if the store does not answer."""
