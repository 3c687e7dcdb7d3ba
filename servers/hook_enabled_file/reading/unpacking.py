"""Packed bytes as streams that are read to their very end.

What stands behind it is hidden: libraries leave it alone, other programs go on there.
"""

import bz2
import gzip
import io
import lzma
import zipfile
import zlib
from typing import IO, Protocol, cast

from servers.hook_enabled_file.reading.counting import Refused

STEP = 4096
"""Packed bytes at a time: they may unpack to 20,000 times as many."""
STORED, DEFLATED, BZIP2, LZMA = 0, 8, 12, 14
BROKEN = (EOFError, OSError, ValueError, zlib.error, lzma.LZMAError)
XZ_BYTES = 400_000_000
"""Memory for a stream of xz, which may ask for gigabytes; `xz -9` asks for 65 MB."""
_BEGINS = {"bz2": b"BZh", "xz": b"\xfd7zXZ\0"}


class _Decoder(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, /) -> bytes: ...


class Unpacked(io.RawIOBase):
    """A file that is packed within another, which may be read meanwhile. One of `BROKEN` if it is
    broken or its checksum is wrong; without a checksum to expect it ends there, and is `broken`."""

    def __init__(
        self, stream: IO[bytes], at: int, size: int | None, method: int, crc: int | None = None
    ) -> None:
        """Its packed bytes begin at `at`; without a `size` they end where the decoder says so.
        NotImplementedError if it cannot be unpacked here."""
        if size is None and method == STORED:
            raise NotImplementedError("nothing says where it ends")
        self.broken = False
        self._stream = stream
        self._at = at
        self._left = size
        self._decoder = _decoder(method)
        # LZMA may leave out the mark of its end: the checksum tells then.
        self._has_end = method != LZMA
        self._crc, self._expected = 0, crc
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview[int]") -> int:  # type: ignore[override]  # any buffer
        view = memoryview(buffer).cast("B")
        data = self._rest or self._checked()
        taken, self._rest = data[: len(view)], data[len(view) :]
        view[: len(taken)] = taken
        return len(taken)

    @property
    def hides(self) -> bool:
        """Whether packed bytes are left behind its end."""
        return bool(self._left) or bool(self._unused)

    @property
    def ends(self) -> int:
        """Offset behind the packed bytes that were read."""
        return self._at - len(self._unused)

    @property
    def _unused(self) -> bytes:
        # That of LZMA has none before it has begun.
        return getattr(self._decoder, "unused_data", b"")

    def _checked(self) -> bytes:
        try:
            return b"" if self.broken else self._next()
        except BROKEN:
            if self._expected is not None:
                raise
            self.broken = True
            return b""

    def _next(self) -> bytes:
        data = self._packed() if self._decoder is None else self._decoded(self._decoder)
        self._crc = zlib.crc32(data, self._crc)
        if not data and self._expected not in (None, self._crc):
            raise ValueError("its checksum is wrong")
        return data

    def _decoded(self, decoder: _Decoder) -> bytes:
        data = b""
        while not data and not decoder.eof:
            packed = self._packed()
            data = decoder.decompress(packed)
            if not packed and not data and not decoder.eof:
                if not self._has_end:
                    break
                raise EOFError("it ends before its end")
        return data

    def _packed(self) -> bytes:
        size = STEP if self._left is None else min(STEP, self._left)
        self._stream.seek(self._at)
        data = self._stream.read(size)
        if self._left is not None:
            if size and not data:
                raise EOFError("it ends before its end")
            self._left -= len(data)
        self._at += len(data)
        return data


class _Streams(io.RawIOBase):
    """Streams of bz2 or xz, one behind the other."""

    def __init__(self, stream: IO[bytes], kind: str) -> None:
        self._stream = stream
        self._kind = kind
        self._decoder = self._fresh()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview[int]") -> int:  # type: ignore[override]  # any buffer
        view = memoryview(buffer).cast("B")
        data = b""
        while not data and view:
            packed = b""
            if self._decoder.eof:
                packed = self._behind(self._decoder.unused_data)
                if not packed:
                    break
                self._decoder = self._fresh()
            elif self._decoder.needs_input and not (packed := self._stream.read(STEP)):
                raise EOFError("it ends before its end")
            data = self._decoder.decompress(packed, len(view))
        view[: len(data)] = data
        return len(data)

    def _behind(self, data: bytes) -> bytes:
        """The beginning of the next stream; nothing at the end. Zeros may stand between them."""
        begins = _BEGINS[self._kind]
        while len(data := data.lstrip(b"\0")) < len(begins) and (more := self._stream.read(STEP)):
            data += more
        if data and not data.startswith(begins):
            raise Refused(f"something is hidden behind the end of a {self._kind} file")
        return data

    def _fresh(self) -> bz2.BZ2Decompressor | lzma.LZMADecompressor:
        if self._kind == "bz2":
            return bz2.BZ2Decompressor()
        return lzma.LZMADecompressor(lzma.FORMAT_XZ, XZ_BYTES)


def unpacking(stream: IO[bytes], kind: str) -> IO[bytes]:
    """A packed stream (`gz`, `bz2` or `xz`), unpacked as it is read. Refused if anything but zeros
    stands behind it."""
    if kind == "gz":
        return cast("IO[bytes]", gzip.GzipFile(fileobj=stream))
    return cast("IO[bytes]", _Streams(stream, kind))


def _decoder(method: int) -> _Decoder | None:
    """None for what is not packed. NotImplementedError for what cannot be unpacked here."""
    if method == STORED:
        return None
    if method == DEFLATED:
        return zlib.decompressobj(-zlib.MAX_WBITS)
    if method == BZIP2:
        return bz2.BZ2Decompressor()
    if method == LZMA:
        return cast("_Decoder", zipfile.LZMADecompressor())  # type: ignore[attr-defined]
    raise NotImplementedError(f"method {method}")
