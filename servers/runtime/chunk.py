"""Steps of a stream that bring bytes, as they are on the wire: a server that passes files on hands
them over as they came, and takes their bytes out without copying them. Pure.

Every contract through which files go has its bytes in the same field, so that such a step is the
same in all of them. One that has anything beside its bytes is none: it is read as a message.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeAlias

from google.protobuf.message import Message

FIELD = 2
"""Number of `data`, in each contract."""
SMALL_BYTES = 8192
"""Pieces of fewer are copied."""
_TAG = FIELD << 3 | 2
_MOST_DIGITS = 5
"""Of a size: seven bits in each, and no message is larger than 2 GiB."""


Piece: TypeAlias = bytes | bytearray | memoryview


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some bytes, in the step that brings them. `data` lies within `message`."""

    message: bytes
    data: memoryview

    @classmethod
    def of(cls, pieces: Sequence[Piece]) -> Self:
        """A step that brings these, one behind the other; they are copied once."""
        head = bytes((_TAG, *_digits(sum(map(len, pieces)))))
        message = b"".join((head, *pieces))
        return cls(message, memoryview(message)[len(head) :])

    @classmethod
    def read(cls, message: bytes) -> Self | None:
        """The step that this is; None if it is another one, or more than its bytes."""
        if not message or message[0] != _TAG:
            return None
        size, at = 0, 1
        for digit in message[1 : 1 + _MOST_DIGITS]:
            size |= (digit & 0x7F) << (7 * (at - 1))
            at += 1
            if digit < 0x80:
                return cls(message, memoryview(message)[at:]) if len(message) - at == size else None
        return None


class Gathered:
    """Bytes that came in pieces of any size, as they came. Small pieces are put together: each by
    itself would take many times its bytes."""

    def __init__(self) -> None:
        self._pieces: list[Piece] = []
        self.size = 0

    def add(self, piece: Piece) -> None:
        """Takes a piece in."""
        self.size += len(piece)
        if len(piece) >= SMALL_BYTES:
            self._pieces.append(piece)
        elif self._pieces and isinstance(self._pieces[-1], bytearray):
            self._pieces[-1] += piece
        else:
            self._pieces.append(bytearray(piece))

    def first(self, size: int) -> bytes:
        """So many bytes of the beginning, or all there are."""
        return b"".join(self._pieces)[:size]

    def take(self) -> list[Piece]:
        """All there is; what comes now is gathered anew."""
        pieces, self._pieces, self.size = self._pieces, [], 0
        return pieces


def reading(parse: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    """Reads a step: as a Chunk if it brings bytes, else as `parse` does, with its errors."""

    def read(message: bytes) -> Any:
        chunk = Chunk.read(message)
        if chunk is not None:
            return chunk
        step = parse(message)
        brings = isinstance(step, Message) and step.WhichOneof("step") == "data"
        return Chunk.of([step.data]) if brings else step

    return read


def writing(serialize: Callable[[Any], bytes]) -> Callable[[Any], bytes]:
    """Writes a step: a Chunk as it is, others as `serialize` does."""
    return lambda step: step.message if isinstance(step, Chunk) else serialize(step)


def _digits(size: int) -> list[int]:
    """A number as protobuf has it, lowest digits first."""
    digits = []
    while size >= 0x80:
        digits.append(size & 0x7F | 0x80)
        size >>= 7
    return [*digits, size]
