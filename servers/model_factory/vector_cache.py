"""Vectors that were computed before, by the hash of their text. Pure."""

import hashlib
from array import array
from collections import OrderedDict

MOST_VECTORS = 4096
"""About 7 MB."""


class VectorCache:
    """The vectors used last. It holds no text."""

    def __init__(self, most: int = MOST_VECTORS) -> None:
        self._most = most
        self._vectors: OrderedDict[bytes, array[float]] = OrderedDict()

    def get(self, text: str) -> list[float] | None:
        """The vector of a text; None if it is not known any more."""
        key = _key(text)
        found = self._vectors.get(key)
        if found is None:
            return None
        self._vectors.move_to_end(key)
        return found.tolist()

    def put(self, text: str, vector: list[float]) -> None:
        """Keeps a vector of float32 values; the one that was not used for longest goes."""
        self._vectors[_key(text)] = array("f", vector)
        if len(self._vectors) > self._most:
            self._vectors.popitem(last=False)


def _key(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
