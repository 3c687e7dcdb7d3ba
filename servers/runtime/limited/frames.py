"""What a job and whoever asked for it say to each other: a kind, a length, bytes. Pure.

A job says READ with an offset and a length and is answered by DATA; it gives PIECEs, and ends with
END or one of the failures.
"""

import struct

HEADER = struct.Struct("!cI")
RANGE = struct.Struct("!QI")

READ, DATA, PIECE, END = b"R", b"D", b"P", b"E"
UNREADABLE, BROKEN, MEMORY = b"U", b"B", b"M"
LARGEST = 64 * 1024 * 1024
"""No frame is longer."""
MOST_READ = 4 * 1024 * 1024
"""Bytes that a job may ask for at once: whoever asks for it holds them for it."""


def frame(kind: bytes, data: bytes = b"") -> bytes:
    """A frame as it is sent."""
    return HEADER.pack(kind, len(data)) + data


def read_request(offset: int, length: int) -> bytes:
    """Asks for bytes of the file."""
    return frame(READ, RANGE.pack(offset, length))
