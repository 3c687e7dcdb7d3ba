"""The inside of a job: reads its file by asking for it, runs one function, says what it gives.

A function takes the file and a request, and yields pieces:

    def pages(file: JobFile, request: bytes) -> Iterator[bytes]: ...

It may raise `Unreadable`. Standard library only: this runs in every job.
"""

import io
import socket
from collections import OrderedDict
from collections.abc import Callable, Iterator
from importlib import import_module

from servers.runtime.limited import frames
from servers.runtime.limited.failures import Unreadable

BLOCK = 1024 * 1024
BLOCKS = 8
"""Blocks that are kept: who jumps back and forth does not ask twice."""


class JobFile(io.RawIOBase):
    """The file of a job: bytes come from the other end of its socket when they are read."""

    def __init__(self, wire: socket.socket, size: int) -> None:
        self._wire = wire
        self._at = 0
        self._blocks: OrderedDict[int, bytes] = OrderedDict()
        self.size = size

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.size}[whence]
        if start + offset < 0:
            raise ValueError("before the beginning of the file")
        self._at = start + offset
        return self._at

    def readinto(self, buffer: "memoryview[int]") -> int:  # type: ignore[override]  # any buffer
        """As much as is wanted, short at the end of the file alone: readers of zip files and PDFs
        take what is short for broken."""
        view, filled = memoryview(buffer).cast("B"), 0
        while filled < len(view) and self._at < self.size:
            number, within = divmod(self._at, BLOCK)
            found = self._block(number)[within : within + len(view) - filled]
            view[filled : filled + len(found)] = found
            self._at += len(found)
            filled += len(found)
        return filled

    def read_at(self, offset: int, length: int) -> bytes:
        """Bytes from `offset` on, past the blocks: for who reads each byte once."""
        return self._ask(offset, min(length, self.size - offset))

    def _block(self, number: int) -> bytes:
        known = self._blocks.get(number)
        if known is None:
            if len(self._blocks) >= BLOCKS:
                self._blocks.popitem(last=False)
            offset = number * BLOCK
            known = self._blocks[number] = self._ask(offset, min(BLOCK, self.size - offset))
        self._blocks.move_to_end(number)
        return known

    def _ask(self, offset: int, length: int) -> bytes:
        self._wire.sendall(frames.read_request(offset, length))
        kind, size = frames.HEADER.unpack(_exactly(self._wire, frames.HEADER.size))
        data = _exactly(self._wire, size)
        if kind != frames.DATA or len(data) != length:
            raise OSError("the file ends before its end")
        return data


def serve(wire: socket.socket, function: str, size: int) -> None:
    """Runs the function named `module:name` on the file at the other end, and says what came of
    it. The request is the first frame."""
    _, length = frames.HEADER.unpack(_exactly(wire, frames.HEADER.size))
    request = _exactly(wire, length)
    try:
        for piece in _function(function)(JobFile(wire, size), request):
            wire.sendall(frames.frame(frames.PIECE, piece))
    except Unreadable as unreadable:
        wire.sendall(frames.frame(frames.UNREADABLE, str(unreadable).encode(errors="replace")))
    except MemoryError:
        wire.sendall(frames.frame(frames.MEMORY))
    except Exception as error:  # noqa: BLE001  # hostile files raise whatever a library can raise
        cause = f"{type(error).__module__}.{type(error).__qualname__}: {error}"
        wire.sendall(frames.frame(frames.BROKEN, cause[:500].encode(errors="replace")))
    else:
        wire.sendall(frames.frame(frames.END))


def _function(name: str) -> Callable[[JobFile, bytes], Iterator[bytes]]:
    module, _, function = name.partition(":")
    found: Callable[[JobFile, bytes], Iterator[bytes]] = getattr(import_module(module), function)
    return found


def _exactly(wire: socket.socket, size: int) -> bytes:
    parts, left = [], size
    while left:
        part = wire.recv(min(left, BLOCK))
        if not part:
            raise SystemExit(0)  # nobody asks any more
        parts.append(part)
        left -= len(part)
    return b"".join(parts)
