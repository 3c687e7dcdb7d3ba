"""Steps of a stream that bring bytes, as they are on the wire: a server that passes files on hands
them over as they came, and takes their bytes out without copying them. Pure.

Every contract through which files go has its bytes in the same field, so that such a step is the
same in all of them. One that has anything beside its bytes is none: it is read as a message.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

from google.protobuf.message import Message

FIELD = 2
"""Number of `data`, in each contract."""
_TAG = FIELD << 3 | 2
_MOST_DIGITS = 5
"""Of a size: seven bits in each, and no message is larger than 2 GiB."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some bytes, in the step that brings them. `data` lies within `message`."""

    message: bytes
    data: memoryview

    @classmethod
    def of(cls, pieces: Sequence[bytes | memoryview]) -> Self:
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
