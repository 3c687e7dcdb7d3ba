"""Server-sent events out of bytes, wherever the bytes were cut.

https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation; `id` and
`retry` are read over, since a stream of tokens cannot be taken up again. Pure.
"""

from dataclasses import dataclass

LARGEST = 1 << 20
"""Bytes of one event. A provider that sends more is not speaking this protocol."""


@dataclass(frozen=True, slots=True)
class ServerSentEvent:
    """One event; `data` is not decoded."""

    name: bytes
    data: bytes


class EventTooLarge(ValueError):
    """An event has more than `LARGEST` bytes."""


class EventStream:
    """Decodes one stream."""

    def __init__(self) -> None:
        self._tail = b""
        self._after_cr = False
        self._first = True
        self._name = b""
        self._data: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> list[ServerSentEvent]:
        """The events that are complete with this chunk. One that never is, is dropped."""
        lines = (self._tail + self._without_lf(chunk)).splitlines(keepends=True)
        self._tail = lines.pop() if lines and lines[-1][-1:] not in b"\r\n" else b""
        if self._size + len(self._tail) > LARGEST:
            raise EventTooLarge
        events = (self._line(line.rstrip(b"\r\n")) for line in lines)
        return [event for event in events if event is not None]

    def _without_lf(self, chunk: bytes) -> bytes:
        """The chunk without the second half of a CRLF whose first half ended the one before."""
        if not chunk:
            return chunk
        rest = chunk[1:] if self._after_cr and chunk[:1] == b"\n" else chunk
        self._after_cr = chunk[-1:] == b"\r"
        return rest

    def _line(self, line: bytes) -> ServerSentEvent | None:
        if self._first:
            line = line.removeprefix(b"\xef\xbb\xbf")
            self._first = False
        if not line:
            return self._complete()
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            self._add(value)
        elif field == b"event":
            self._name = value
        return None

    def _add(self, value: bytes) -> None:
        self._size += len(value)
        if self._size > LARGEST:
            raise EventTooLarge
        self._data.append(value)

    def _complete(self) -> ServerSentEvent | None:
        event = ServerSentEvent(self._name, b"\n".join(self._data)) if self._data else None
        self._name, self._data, self._size = b"", [], 0
        return event
