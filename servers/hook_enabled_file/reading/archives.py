"""Looking into archives, without writing anything anywhere. Runs in a job.

Every member is unpacked as a stream, counted and thrown away: what headers say of sizes is not
believed. Members are looked through with the rules of `scan` on the way, and archives within them
opened in turn.
"""

import bz2
import gzip
import io
import json
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import IO, cast

import yara_x

from servers.hook_enabled_file.reading.scanning import OVERLAP, carried, matches, named_as_document
from servers.runtime.limited.job import JobFile

STEP = 256 * 1024
WINDOW = 4 * 1024 * 1024
NESTED_BYTES = 64 * 1024 * 1024
"""An archive within an archive is held in memory to be opened; a larger one is refused."""
MAGIC_BYTES = 512


class Refused(Exception):
    """The archive must not be let through; one sentence for people."""


@dataclass
class Limits:
    """What an archive may hold, everything within it counted."""

    depth: int = 5
    files: int = 10_000
    ratio: float = 200.0
    ratio_from_bytes: int = 20_000_000
    """Below it nothing is called a bomb, however well it packs."""
    total_bytes: int = 4_000_000_000
    encrypted: str = "refuse"
    unknown: str = "refuse"
    scan: bool = True


@dataclass
class Count:
    """What was found so far."""

    packed: int
    limits: Limits
    files: int = 0
    unpacked: int = 0
    notes: list[str] = field(default_factory=list)

    def file(self) -> None:
        """One more member."""
        self.files += 1
        if self.files > self.limits.files:
            raise Refused(f"the archive holds more than {self.limits.files} files")

    def add(self, size: int) -> None:
        """So many bytes more."""
        self.unpacked += size
        limits = self.limits
        if self.unpacked > limits.total_bytes:
            raise Refused(f"the archive unpacks to more than {limits.total_bytes // 10**6} MB")
        if self.unpacked > max(limits.ratio_from_bytes, limits.ratio * self.packed):
            raise Refused(f"the archive unpacks to more than {limits.ratio:g} times its size")


def look(file: JobFile, request: bytes) -> Iterator[bytes]:
    """One piece: JSON with `refused`, a sentence or empty, and `notes`, `files`, `bytes`.
    `request` is JSON: the fields of `Limits`."""
    count = Count(file.size, Limits(**json.loads(request)))
    refused = ""
    try:
        stream = cast("IO[bytes]", file)
        kind = kind_of(_start(stream))
        if kind:
            _archive(stream, kind, count, 1)
    except Refused as why:
        refused = str(why)
    found = {"files": count.files, "bytes": count.unpacked, "notes": count.notes[:5]}
    yield json.dumps({"refused": refused, **found}).encode()


def kind_of(start: bytes) -> str:
    """What kind of archive begins so; empty if none."""
    for kind, magic in (
        ("zip", b"PK\x03\x04"),
        ("zip", b"PK\x05\x06"),
        ("gz", b"\x1f\x8b\x08"),
        ("xz", b"\xfd7zXZ\0"),
        ("7z", b"7z\xbc\xaf\x27\x1c"),
        ("rar", b"Rar!\x1a\x07"),
        ("zst", b"\x28\xb5\x2f\xfd"),
        ("cab", b"MSCF\0\0\0\0"),
    ):
        if start.startswith(magic):
            return kind
    if start.startswith(b"BZh") and start[4:10] in (b"1AY&SY", b"\x17\x72\x45\x38\x50\x90"):
        return "bz2"
    return "tar" if start[257:262] == b"ustar" else ""


def _archive(stream: IO[bytes], kind: str, count: Count, depth: int) -> None:
    if depth > count.limits.depth:
        raise Refused(f"archives are packed within each other more than {count.limits.depth} deep")
    if kind == "zip":
        _zip(stream, count, depth)
    elif kind == "tar":
        _tar(stream, count, depth)
    elif kind in _STREAMS:
        _member(_unpacking(stream, kind), "", count, depth)
    elif count.limits.unknown == "refuse":
        raise Refused(f"archives of the type {kind} cannot be looked into")
    else:
        count.notes.append(f"a {kind} archive was not looked into")


def _zip(stream: IO[bytes], count: Count, depth: int) -> None:
    try:
        packed = zipfile.ZipFile(stream)
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError) as error:
        raise Refused("the zip file is broken") from error
    infos = packed.infolist()
    _require_no_overlap(infos)
    for info in infos:
        count.file()
        if info.is_dir():
            continue
        if info.flag_bits & 1:
            _encrypted(count)
            continue
        try:
            with packed.open(info) as member:
                _member(member, info.filename, count, depth)
        except (zipfile.BadZipFile, NotImplementedError, *_BROKEN) as error:
            raise Refused("a file within the zip file is broken") from error


def _require_no_overlap(infos: list[zipfile.ZipInfo]) -> None:
    """Bombs have many members share the same packed bytes."""
    end = -1
    for info in sorted(infos, key=lambda info: info.header_offset):
        if info.header_offset < end:
            raise Refused("files within the zip file share their bytes, as bombs do")
        end = info.header_offset + 30 + info.compress_size


def _tar(stream: IO[bytes], count: Count, depth: int) -> None:
    try:
        with tarfile.open(fileobj=stream, mode="r:") as packed:
            for info in packed:
                count.file()
                member = packed.extractfile(info) if info.isfile() else None
                if member is not None:
                    _member(member, info.name, count, depth)
    except (tarfile.TarError, *_BROKEN) as error:
        raise Refused("the tar file is broken") from error


def _member(member: IO[bytes], name: str, count: Count, depth: int) -> None:
    """Counts a member, looks through it, opens it if it is an archive."""
    try:
        start = _exactly(member, MAGIC_BYTES)
        kind = kind_of(start)
        kept = bytearray() if kind and kind not in _STREAMS else None
        if kind in _STREAMS:
            inner = _unpacking(cast("IO[bytes]", _Joined(start, member, count)), kind)
            if depth >= count.limits.depth:
                raise Refused(f"archives are packed more than {count.limits.depth} deep")
            _member(inner, name, count, depth + 1)
            return
        for data in _through(start, member, _scanner(name, count), count):
            if kept is not None:
                kept += data
                if len(kept) > NESTED_BYTES:
                    raise Refused("an archive within the archive is too large to look into")
    except _BROKEN as error:
        raise Refused("a packed file is broken") from error
    if kept is not None:
        _archive(io.BytesIO(kept), kind, count, depth + 1)


def _through(
    start: bytes, member: IO[bytes], scanner: yara_x.Scanner | None, count: Count
) -> Iterator[bytes]:
    """The bytes of a member, counted; each window of them is scanned."""
    window, data = bytearray(), start
    while data:
        count.add(len(data))
        yield data
        window += data
        if len(window) >= WINDOW:
            _scan(scanner, bytes(window))
            del window[:-OVERLAP]
        data = member.read(STEP)
    _scan(scanner, bytes(window))


def _scan(scanner: yara_x.Scanner | None, window: bytes) -> None:
    if scanner is None or not window:
        return
    for reason in matches(scanner, window).values():
        raise Refused(f"a file within the archive: {reason}")


def _scanner(name: str, count: Count) -> yara_x.Scanner | None:
    if not count.limits.scan:
        return None
    scanner = _carried_scanner()
    scanner.set_global("document_name", named_as_document(name))
    return scanner


@cache
def _carried_scanner() -> yara_x.Scanner:
    return yara_x.Scanner(carried("scan"))


def _encrypted(count: Count) -> None:
    if count.limits.encrypted == "refuse":
        raise Refused("the archive is encrypted, so nobody can look into it")
    count.notes.append("encrypted files were not looked into")


_STREAMS = ("gz", "bz2", "xz")
_BROKEN = (EOFError, OSError, zlib.error, lzma.LZMAError, RuntimeError, ValueError, IndexError)


def _unpacking(stream: IO[bytes], kind: str) -> IO[bytes]:
    if kind == "gz":
        return cast("IO[bytes]", gzip.GzipFile(fileobj=stream))
    if kind == "bz2":
        return cast("IO[bytes]", bz2.BZ2File(stream))
    # Without a limit a few bytes have the decoder take gigabytes.
    return cast("IO[bytes]", lzma.LZMAFile(stream))


class _Joined(io.RawIOBase):
    """A stream whose beginning was read already, counted as it is read."""

    def __init__(self, start: bytes, rest: IO[bytes], count: Count) -> None:
        self._start = start
        self._rest = rest
        self._count = count

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview[int]") -> int:  # type: ignore[override]  # any buffer
        view = memoryview(buffer).cast("B")
        data = self._start[: len(view)] or self._rest.read(len(view))
        self._start = self._start[len(view) :]
        self._count.add(len(data))
        view[: len(data)] = data
        return len(data)


def _start(stream: IO[bytes]) -> bytes:
    start = _exactly(stream, MAGIC_BYTES)
    stream.seek(0)
    return start


def _exactly(stream: IO[bytes], size: int) -> bytes:
    data = b""
    while len(data) < size and (more := stream.read(size - len(data))):
        data += more
    return data
