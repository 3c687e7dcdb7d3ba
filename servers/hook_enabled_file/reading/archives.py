"""Looking into archives and mails, without writing anything anywhere. Runs in a job.

Every member is unpacked as a stream and counted: what headers say of sizes is not believed.
Members are looked through on the way, with the rules of `scan` or for a tenant's words, and
archives within them opened in turn.
"""

import bz2
import gzip
import io
import json
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from typing import IO, cast

import yara_x

from servers.hook_enabled_file.reading import mail_parts
from servers.hook_enabled_file.reading.containers import (
    MAIL_BYTES,
    NOT_A_ZIP,
    START_BYTES,
    STREAMS,
    TAIL_BYTES,
    ZIP_END,
    kind_of,
    kinds_of,
)
from servers.hook_enabled_file.reading.counting import Count, Limits, Refused
from servers.hook_enabled_file.reading.joined import Joined, exactly
from servers.hook_enabled_file.reading.scanning import OVERLAP, carried, matches, tell
from servers.hook_enabled_file.reading.unopened import IMAGE_BYTES, image
from servers.hook_enabled_file.reading.wording import Words, is_office
from servers.runtime.limited.job import JobFile

STEP = 256 * 1024
WINDOW = 4 * 1024 * 1024
NESTED_BYTES = 64 * 1024 * 1024
"""An archive within an archive is held in memory to be opened, and so is a mail; a larger one is
refused."""
_BROKEN = (EOFError, OSError, zlib.error, lzma.LZMAError, RuntimeError, ValueError, IndexError)


def look(file: JobFile, request: bytes) -> Iterator[bytes]:
    """One piece: JSON with `refused`, a sentence or empty; `kinds` of archives that it is; `notes`,
    `files`, `bytes`; `words`, reasons of rules that match; `unread`, names of what cannot be read.

    `request` is JSON, all of it optional: `limits`, fields of `Limits`; `name` and `content_type`
    of the file; `words`, rules to look for instead of those of `scan`; `is_read`, whether somebody
    else reads the text of the file itself."""
    asked, stream = json.loads(request), cast("IO[bytes]", file)
    name = str(asked.get("name", ""))
    words = Words(asked["words"]) if asked.get("words") else None
    walk = _Walk(Count(file.size, Limits(**asked.get("limits", {}))), words)
    refused, kinds = "", kinds_of(stream, name, asked.get("content_type", ""))
    try:
        for kind in kinds:
            walk.archive(stream, kind, name, 1, is_read=bool(asked.get("is_read")))
    except Refused as why:
        refused = str(why)
    count = walk.count
    found = {"kinds": kinds, "files": count.files, "bytes": count.unpacked}
    if words is not None:
        found |= {"words": list(words.found.values()), "unread": words.unread[:5]}
    yield json.dumps({"refused": refused, "notes": count.notes[:5], **found}).encode()


class _Walk:
    """Goes through everything that is packed."""

    def __init__(self, count: Count, words: Words | None) -> None:
        self.count = count
        self._words = words

    def archive(
        self, stream: IO[bytes], kind: str, name: str, depth: int, *, is_read: bool = False
    ) -> None:
        """Looks into an archive; Refused if it must not be let through."""
        self.count.require_depth(depth)
        stream.seek(0)
        if kind == "zip":
            self._zip(stream, name, depth, is_read)
        elif kind == "tar":
            self._tar(stream, depth)
        elif kind == "mail":
            self._mail(stream, depth)
        elif kind in STREAMS:
            self._member(_unpacking(stream, kind), name, depth)
        else:
            self.count.unknown(kind)
            self._missed(name)

    def _zip(self, stream: IO[bytes], name: str, depth: int, is_read: bool) -> None:
        try:
            packed = zipfile.ZipFile(stream)
        except NOT_A_ZIP as error:
            raise Refused("the zip file is broken") from error
        infos = packed.infolist()
        _require_no_overlap(infos)
        # The text of a document is not that of its members.
        office = self._words is not None and is_office(info.filename for info in infos)
        for info in infos:
            self.count.file()
            if info.is_dir():
                continue
            if info.flag_bits & 1:
                self.count.encrypted()
                self._missed(info.filename)
                continue
            try:
                with packed.open(info) as member:
                    self._member(member, info.filename, depth, text=not office)
            except (zipfile.BadZipFile, NotImplementedError, *_BROKEN) as error:
                raise Refused("a file within the zip file is broken") from error
        if office and not is_read and self._words is not None:
            stream.seek(0)
            self._words.document(name, stream.read(NESTED_BYTES))

    def _tar(self, stream: IO[bytes], depth: int) -> None:
        try:
            with tarfile.open(fileobj=stream, mode="r:") as packed:
                for info in packed:
                    self.count.file()
                    # What is of no known type is unpacked as a file.
                    if info.isreg() or info.type not in tarfile.SUPPORTED_TYPES:
                        member = packed.extractfile(info)
                        self._member(cast("IO[bytes]", member), info.name, depth)
                stream.seek(packed.offset)
        except (tarfile.TarError, *_BROKEN) as error:
            raise Refused("the tar file is broken") from error
        # Here it ended for tarfile; tar goes on to the next header that it finds.
        while data := stream.read(STEP):
            if data.count(0) != len(data):
                raise Refused("something is hidden behind the end of a tar file, or it is broken")

    def _mail(self, stream: IO[bytes], depth: int) -> None:
        if stream.seek(0, io.SEEK_END) > MAIL_BYTES:
            raise Refused("the mail is too large to look into")
        stream.seek(0)
        try:
            message = mail_parts.parsed(stream)
            if self._words is not None:
                self._words.see(mail_parts.headers(message).encode("utf-8", "replace"))
            for part in mail_parts.parts(message):
                self.count.file()
                self.count.require_depth(depth + part.within)
                self._member(io.BytesIO(part.data), part.name, depth + part.within)
        except (LookupError, TypeError, AttributeError, *_BROKEN) as error:
            raise Refused("the mail is broken: nobody can look into it") from error

    def _member(self, member: IO[bytes], name: str, depth: int, *, text: bool = True) -> None:
        """Counts a member, looks through it, opens it if it is an archive."""
        try:
            start = exactly(member, START_BYTES)
            if (kind := kind_of(start)) in STREAMS:
                self._stream(start, member, kind, name, depth)
                return
            kept, tail, size = io.BytesIO(), b"", 0
            for data in self._through(start, member, name):
                size += len(data)
                tail = (tail + data)[-TAIL_BYTES:]
                if size <= NESTED_BYTES:
                    kept.write(data)
        except _BROKEN as error:
            raise Refused("a packed file is broken") from error
        if size <= NESTED_BYTES:
            self._whole(kept, kind, name, depth, text)
        elif kind or ZIP_END in tail or image(bytes(kept.getbuffer()[:IMAGE_BYTES]), tail):
            raise Refused("an archive within the archive is too large to look into")
        elif text:
            self._missed(name)

    def _whole(self, kept: io.BytesIO, kind: str, name: str, depth: int, text: bool) -> None:
        """What is not too large to be held."""
        kinds = kinds_of(cast("IO[bytes]", kept), name)
        if self._words is not None and text and not kind and "mail" not in kinds:
            self._words.document(name, kept.getvalue())
        for each in kinds:
            self.archive(cast("IO[bytes]", kept), each, name, depth + 1)

    def _stream(self, start: bytes, rest: IO[bytes], kind: str, name: str, depth: int) -> None:
        """A packed stream is unpacked as it comes, to its end: what stands behind it is hidden."""
        self.count.require_depth(depth + 1)
        joined = Joined(start, rest, self.count)
        self._member(_unpacking(cast("IO[bytes]", joined), kind), name, depth + 1)
        while joined.read(STEP):
            pass
        if ZIP_END in joined.tail:
            raise Refused("an archive is hidden behind another one")

    def _through(self, start: bytes, member: IO[bytes], name: str) -> Iterator[bytes]:
        """The bytes of a member, counted; each window of them is looked through, with its beginning
        before it."""
        see, head = self._seeing(start, name), b""
        window, data = bytearray(), start
        while data:
            self.count.add(len(data))
            yield data
            window += data
            if len(window) >= WINDOW:
                see(head + window)
                head = start
                del window[:-OVERLAP]
            data = member.read(STEP)
        see(head + window)

    def _seeing(self, start: bytes, name: str) -> Callable[[bytes], None]:
        if self._words is not None:
            return self._words.see
        scanner = _carried_scanner()
        tell(scanner, start, name)
        return lambda window: _scan(scanner, window)

    def _missed(self, name: str) -> None:
        if self._words is not None:
            self._words.missed(name)


def _require_no_overlap(infos: list[zipfile.ZipInfo]) -> None:
    """Bombs have many members share the same packed bytes."""
    end = -1
    for info in sorted(infos, key=lambda info: info.header_offset):
        if info.header_offset < end:
            raise Refused("files within the zip file share their bytes, as bombs do")
        end = info.header_offset + 30 + info.compress_size


def _scan(scanner: yara_x.Scanner, window: bytes) -> None:
    for reason in matches(scanner, window).values():
        raise Refused(f"a file within the archive: {reason}")


@cache
def _carried_scanner() -> yara_x.Scanner:
    return yara_x.Scanner(carried("scan"))


def _unpacking(stream: IO[bytes], kind: str) -> IO[bytes]:
    if kind == "gz":
        return cast("IO[bytes]", gzip.GzipFile(fileobj=stream))
    if kind == "bz2":
        return cast("IO[bytes]", bz2.BZ2File(stream))
    # Without a limit a few bytes have the decoder take gigabytes.
    return cast("IO[bytes]", lzma.LZMAFile(stream))
