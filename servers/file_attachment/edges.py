"""What is found out of a file's bytes as they come."""

import hashlib
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field

from servers.file_attachment.content_type import EDGE_BYTES
from servers.runtime.chunk import Piece


@dataclass
class Edges:
    """SHA-256, size, beginning and end of what has come so far."""

    digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    size: int = 0
    first: bytes = b""
    last: bytes = b""

    def add(self, pieces: Iterable[Piece]) -> None:
        """Takes the next bytes in. Long ones are hashed without holding up other threads."""
        for piece in pieces:
            self.digest.update(piece)
            self.size += len(piece)
            if len(self.first) < EDGE_BYTES:
                self.first += piece[: EDGE_BYTES - len(self.first)]
            self.last = (self.last + piece[-EDGE_BYTES:])[-EDGE_BYTES:]


class PutDown:
    """Those of uploads that go on in a later call, by prefix: of the last ones that came through
    this process. Of others the bytes are read again."""

    def __init__(self, most: int = 64) -> None:
        self._most = most
        self._kept: OrderedDict[str, Edges] = OrderedDict()

    def keep(self, prefix: str, edges: Edges) -> None:
        """Puts one down; the oldest is forgotten for it."""
        self._kept[prefix] = edges
        self._kept.move_to_end(prefix)
        if len(self._kept) > self._most:
            self._kept.popitem(last=False)

    def take(self, prefix: str, size: int) -> Edges | None:
        """Takes one up; None if there is none of so many bytes."""
        edges = self._kept.pop(prefix, None)
        return edges if edges is not None and edges.size == size else None
