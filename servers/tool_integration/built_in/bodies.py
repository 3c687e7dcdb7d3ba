"""Bodies of answers, piece by piece, up to a cap: encoded ones are decoded no further than that.
Pure."""

import zlib
from typing import Protocol

from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.errors import Unavailable

ACCEPTED = "gzip, deflate"


class _Decoder(Protocol):
    def decompress(self, data: bytes, max_length: int = 0) -> bytes:
        """At most `max_length` bytes of what the data holds."""


class Body:
    """Takes pieces until it has `most_bytes`; what would come after that is never decoded. Raises
    Unavailable if a piece is not of the encoding."""

    def __init__(self, encoding: str, most_bytes: int) -> None:
        self._decoder = _decoder(encoding)
        self._most = most_bytes
        self._taken = 0
        self._text = bytearray()
        self.truncated = False

    def take(self, piece: bytes) -> bool:
        """Whether more is wanted."""
        self._taken += len(piece)
        room = self._most - len(self._text) + 1
        self._text += self._decoded(piece, room)
        # An encoded body may be endless without ever decoding to anything.
        self.truncated = len(self._text) > self._most or self._taken > self._most
        return not self.truncated

    @property
    def text(self) -> bytes:
        """What was taken."""
        return bytes(self._text[: self._most])

    def _decoded(self, piece: bytes, room: int) -> bytes:
        if self._decoder is None:
            return piece[:room]
        try:
            return self._decoder.decompress(piece, room)
        except zlib.error as error:
            raise Unavailable(
                Reason.REASON_TOOL_FAILED,
                "the page is not encoded as it says",
                retryable=False,
            ) from error


def _decoder(encoding: str) -> _Decoder | None:
    match encoding.strip().lower():
        case "" | "identity":
            return None
        case "gzip" | "x-gzip":
            return zlib.decompressobj(16 + zlib.MAX_WBITS)
        case "deflate":
            return zlib.decompressobj()
    raise Unavailable(
        Reason.REASON_TOOL_FAILED,
        f"the page is encoded as `{encoding[:40]}`, which was not asked for",
        retryable=False,
    )
