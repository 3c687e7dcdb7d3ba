"""Archives that begin somewhere within a file, where usual programs look for them.

7-Zip, unrar and others search a file for signatures, tar goes on to the next block that is a
header, and what repairs zip files goes by local headers. A signature alone is no archive: programs
and texts hold it too. What counts is a header that those programs take for one.
"""

import re
import struct
from collections.abc import Callable
from typing import IO
from zlib import crc32

from servers.hook_enabled_file.reading.local_headers import MARK, is_local_header

STEP = 1024 * 1024
ROOM = 2048
"""What a header may need behind its beginning."""
TOGETHER = 256 * 1024
"""What is looked through at a time: pieces may be small."""
BLOCK = 512
_SUM = re.compile(rb"[ \0]{0,5}[0-7]{3}|\x80\0{4}")
"""How the checksum of a header of tar begins: octal, or in binary behind a byte that says so."""
_OCTAL = re.compile(rb"[0-7]{1,8}")


class Search:
    """Takes a file piece by piece, and finds where archives begin."""

    def __init__(self) -> None:
        self._found: dict[int, str] = {}
        self._held = bytearray()
        self._at = 0

    def feed(self, data: bytes) -> None:
        """The next piece."""
        self._held += data
        if len(self._held) >= TOGETHER:
            self._look(len(self._held) - ROOM)

    def end(self) -> list[tuple[int, str]]:
        """There are no more: offsets and kinds (`7z`, `rar`, `tar`, or `zip` for a local header),
        in order."""
        self._look(len(self._held))
        return sorted(self._found.items())

    def _look(self, until: int) -> None:
        """Looks for headers that begin before `until`, and lets go of what stands there."""
        data = bytes(self._held)
        for mark, within, kind, holds in _HEADERS:
            at = data.find(mark, within)
            while 0 <= at < until + within:
                if holds(data, at - within):
                    self._found[self._at + at - within] = kind
                at = data.find(mark, at + 1)
        for at in range(-self._at % BLOCK, until, BLOCK):
            if _SUM.match(data, at + 148) and _is_tar(data, at):
                self._found[self._at + at] = "tar"
        self._held, self._at = bytearray(data[until:]), self._at + until


def searched(stream: IO[bytes]) -> list[tuple[int, str]]:
    """Where archives begin in a file."""
    stream.seek(0)
    search = Search()
    while data := stream.read(STEP):
        search.feed(data)
    return search.end()


def _is_7z(data: bytes, at: int) -> bool:
    """By the CRC of its start header; one whose writer was interrupted has zeros there."""
    head = data[at : at + 32]
    if len(head) < 32:
        return False
    whole = crc32(head[12:]) == int.from_bytes(head[8:12], "little")
    return whole or (any(head[6:8]) and not any(head[8:]))


def _is_rar(data: bytes, at: int) -> bool:
    """By its version and its main header, or that of its encryption. unrar opens those with a wrong
    CRC as well, so what has the usual form counts besides."""
    if data[at + 6 : at + 7] == b"\0":
        return _is_rar_4(data[at + 7 : at + ROOM])
    return data[at + 6 : at + 8] == b"\1\0" and _is_rar_5(data[at + 8 : at + ROOM])


def _is_rar_4(head: bytes) -> bool:
    if len(head) < 13:
        return False
    crc, kind, _, size = struct.unpack_from("<HBHH", head)
    if size >= 7 and crc32(head[2:size]) & 0xFFFF == crc:
        return True
    return bool(kind == 0x73 and (size == 13 or size > len(head)))


def _is_rar_5(head: bytes) -> bool:
    """A CRC, then a size, a kind and flags, all of seven bits a byte, the lowest first."""
    size, begins, more = 0, 4, True
    while more and begins < min(7, len(head)):
        more = head[begins] > 0x7F
        size |= (head[begins] & 0x7F) << 7 * (begins - 4)
        begins += 1
    if more or size < 3 or len(head) < begins + 3:
        return False
    if crc32(head[4 : begins + size]) == int.from_bytes(head[:4], "little"):
        return True
    return head[begins] in (1, 4) and head[begins + 1] <= 7


def _is_tar(data: bytes, at: int) -> bool:
    """By its checksum, which programs take of signed bytes or of unsigned ones."""
    head = data[at : at + BLOCK]
    if len(head) < BLOCK:
        return False
    field = head[148:156]
    # Zeros and blanks are no number: a block of nothing else is no header.
    octal = field.strip(b" \0").partition(b"\0")[0].rstrip()
    if field[0] == 0x80:
        said = int.from_bytes(field[1:], "big")
    elif _OCTAL.fullmatch(octal):
        said = int(octal, 8)
    else:
        return False
    unsigned = sum(head) - sum(field) + 8 * ord(" ")
    signed = unsigned - 256 * sum(byte > 127 for byte in (*head[:148], *head[156:]))
    return said in (unsigned, signed)


_Check = Callable[[bytes, int], bool]
_HEADERS: tuple[tuple[bytes, int, str, _Check], ...] = (
    (b"7z\xbc\xaf\x27\x1c", 0, "7z", _is_7z),
    (b"Rar!\x1a\x07", 0, "rar", _is_rar),
    (MARK, 0, "zip", is_local_header),
    (b"ustar", 257, "tar", _is_tar),
)
"""The mark, where in the header it stands, and whether it is one."""
