"""Streams that were looked at before they are read."""

import io
from typing import IO

from servers.hook_enabled_file.reading.containers import TAIL_BYTES
from servers.hook_enabled_file.reading.counting import Count


class Joined(io.RawIOBase):
    """A stream whose beginning was read already, counted as it is read. `tail` is the end of what
    was read."""

    def __init__(self, start: bytes, rest: IO[bytes], count: Count) -> None:
        self._start = start
        self._rest = rest
        self._count = count
        self.tail = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview[int]") -> int:  # type: ignore[override]  # any buffer
        view = memoryview(buffer).cast("B")
        data = self._start[: len(view)] or self._rest.read(len(view))
        self._start = self._start[len(view) :]
        self._count.add(len(data))
        self.tail = (self.tail + data)[-TAIL_BYTES:]
        view[: len(data)] = data
        return len(data)


def exactly(stream: IO[bytes], size: int) -> bytes:
    """So many bytes; fewer at the end of the stream alone."""
    data = b""
    while len(data) < size and (more := stream.read(size - len(data))):
        data += more
    return data
