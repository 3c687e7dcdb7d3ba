"""Local headers of zip files: what stands before each packed file, and is all that readers of
streams and programs that repair go by.

A zip file is read by the list at its end. Whoever goes by local headers may find other files.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO
from zipfile import ZipInfo

from servers.hook_enabled_file.reading.counting import Refused
from servers.hook_enabled_file.reading.unpacking import DEFLATED, STORED

SIZE = 30
MARK = b"PK\x03\x04"
_METHODS = frozenset((*range(11), 12, 14, 16, 18, 19, 20, *range(93, 100)))
_NEWEST = 63
"""Version 6.3 of the format is the last that unpackers are asked for."""
LONGEST_NAME = 1024
_ENCRYPTED, _SIZE_BEHIND, _UTF_8 = 1, 8, 0x800
_IN_EXTRA = 0xFFFF_FFFF
"""As a size: the real one stands among the extra fields."""


@dataclass(frozen=True)
class LocalHeader:
    """What a local header says. `packed` is None where that size stands elsewhere."""

    begins: int
    """Offset of the packed bytes."""
    name: bytes
    method: int
    encrypted: bool
    packed: int | None


class Unlisted:
    """The places of a zip file that hold no packed bytes of a file of its list."""

    def __init__(self, stream: IO[bytes], listed: Sequence[ZipInfo]) -> None:
        """ValueError if a local header says something else than the list."""
        self._headers = {info.header_offset for info in listed}
        spans = [(begins_at(stream, info), info.compress_size) for info in listed]
        self._spans = sorted((begins, begins + size) for begins, size in spans)
        self._next = 0

    def __contains__(self, at: int) -> bool:
        """Whether what begins there is not of the list. Asked in ascending order."""
        while self._next < len(self._spans) and self._spans[self._next][1] <= at:
            self._next += 1
        if self._next < len(self._spans) and self._spans[self._next][0] <= at:
            return False
        return at not in self._headers


def begins_at(stream: IO[bytes], info: ZipInfo) -> int:
    """Where the packed bytes of a file of the list begin. ValueError if its local header says
    something else than the list."""
    header = header_at(stream, info.header_offset)
    encoding = "utf-8" if info.flag_bits & _UTF_8 else "cp437"
    same = header.name.decode(encoding) == info.orig_filename
    # Some writers leave out the size without saying so.
    sized = header.packed in (None, 0, info.compress_size)
    if not same or not sized or header.method != info.compress_type:
        raise ValueError("a local header says something else than the list")
    return header.begins


def is_local_header(data: bytes, at: int) -> bool:
    """Whether unpackers take what begins there for a local header. What cannot be unpacked here to
    make sure has to have a version that is known and a name that people can read: programs compare
    with the mark, and their next instructions may look like the rest."""
    if len(data) < at + SIZE:
        return False
    version, flags, method, packed, size, name, _ = _fields(data, at)
    if method not in _METHODS or not (name or packed or flags & _SIZE_BEHIND):
        return False
    if method == DEFLATED and not flags & _ENCRYPTED:
        return True
    if method == STORED and not flags & (_ENCRYPTED | _SIZE_BEHIND):
        return packed == size
    shown = data[at + SIZE : at + SIZE + name]
    return version <= _NEWEST and 0 < name <= LONGEST_NAME and min(shown, default=0) >= ord(" ")


def header_at(stream: IO[bytes], at: int) -> LocalHeader:
    """The local header that begins there. ValueError if there is none."""
    stream.seek(at)
    data = stream.read(SIZE)
    if len(data) < SIZE or not data.startswith(MARK):
        raise ValueError("there is no local header")
    _, flags, method, packed, _, name, extra = _fields(data, 0)
    elsewhere = flags & _SIZE_BEHIND or packed == _IN_EXTRA
    return LocalHeader(
        begins=at + SIZE + name + extra,
        name=stream.read(name),
        method=method,
        encrypted=bool(flags & _ENCRYPTED),
        packed=None if elsewhere else packed,
    )


def _fields(data: bytes, at: int) -> Sequence[int]:
    """Version, flags, method, packed size, size, length of the name, of the extra fields."""
    return struct.unpack_from("<HHH8xIIHH", data, at + 4)


def require_no_overlap(listed: Sequence[ZipInfo]) -> None:
    """Refused if files of the list share their packed bytes, as those of bombs do."""
    end = -1
    for info in sorted(listed, key=lambda info: info.header_offset):
        if info.header_offset < end:
            raise Refused("files within the zip file share their bytes, as bombs do")
        end = info.header_offset + SIZE + info.compress_size
