"""Looking into archives and mails, without writing anything anywhere. Runs in a job.

Every member is unpacked as a stream and counted: what headers say of sizes is not believed.
Members are looked through on the way, with the rules of `scan` or for a tenant's words, and
archives within them opened in turn, and what begins within them or is left out of their lists.
"""

import io
import json
import tarfile
import zipfile
from collections.abc import Iterator, Sequence
from typing import IO, cast

from servers.hook_enabled_file.reading import hidden, mail_parts
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
from servers.hook_enabled_file.reading.local_headers import (
    Unlisted,
    begins_at,
    header_at,
    require_no_overlap,
)
from servers.hook_enabled_file.reading.seeing import STEP, through
from servers.hook_enabled_file.reading.unopened import IMAGE_BYTES, image
from servers.hook_enabled_file.reading.unpacking import BROKEN, Unpacked, unpacking
from servers.hook_enabled_file.reading.wording import Words, is_office
from servers.runtime.limited.job import JobFile

NESTED_BYTES = 64 * 1024 * 1024
"""An archive within an archive is held in memory to be opened, and so is a mail; a larger one is
refused."""
SEARCHED = frozenset({"zip", "mail"})
"""Kinds within which others may hide. The rest is read to its end, or not looked into."""
_BROKEN = (*BROKEN, RuntimeError, IndexError)
Found = Sequence[tuple[int, str]]
"""Offsets and kinds of what begins within a file."""


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
        found_in = hidden.searched(stream) if SEARCHED.issuperset(kinds) else []
        walk.opened(stream, kinds, name, 1, found_in, is_read=bool(asked.get("is_read")))
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

    def opened(
        self,
        stream: IO[bytes],
        kinds: Sequence[str],
        name: str,
        depth: int,
        found: Found,
        *,
        is_read: bool = False,
    ) -> None:
        """Looks into a file as all that it is, and into what begins within it; Refused if it must
        not be let through."""
        unlisted: Unlisted | None = None
        for kind in kinds:
            self.count.require_depth(depth)
            stream.seek(0)
            if kind == "zip":
                unlisted = self._zip(stream, name, depth, is_read)
            else:
                self._archive(stream, kind, name, depth)
        if SEARCHED.issuperset(kinds):
            self._hidden(stream, found, name, depth, unlisted)

    def _archive(self, stream: IO[bytes], kind: str, name: str, depth: int) -> None:
        if kind == "tar":
            self._tar(stream, depth)
        elif kind == "mail":
            self._mail(stream, depth)
        elif kind in STREAMS:
            self._member(unpacking(stream, kind), name, depth)
        else:
            self.count.unknown(kind)
            self._missed(name)

    def _zip(self, stream: IO[bytes], name: str, depth: int, is_read: bool) -> Unlisted:
        """Looks into what is listed; what is not is left."""
        try:
            infos = zipfile.ZipFile(stream).infolist()
        except NOT_A_ZIP as error:
            raise Refused("the zip file is broken") from error
        require_no_overlap(infos)
        # The text of a document is not that of its members.
        office = self._words is not None and is_office(info.filename for info in infos)
        for info in infos:
            self.count.file()
            if info.is_dir() and not info.compress_size:
                continue
            if info.flag_bits & 1:
                self.count.encrypted()
                self._missed(info.filename)
                continue
            self._listed(stream, info, depth, text=not office)
        if office and not is_read and self._words is not None:
            stream.seek(0)
            self._words.document(name, stream.read(NESTED_BYTES))
        try:
            return Unlisted(stream, infos)
        except _BROKEN as error:
            raise Refused("a file within the zip file is broken") from error

    def _listed(self, stream: IO[bytes], info: zipfile.ZipInfo, depth: int, *, text: bool) -> None:
        try:
            at = begins_at(stream, info)
            member = Unpacked(stream, at, info.compress_size, info.compress_type, info.CRC)
            self._member(cast("IO[bytes]", member), info.filename, depth, text=text)
        except (NotImplementedError, *_BROKEN) as error:
            raise Refused("a file within the zip file is broken") from error
        if member.hides:
            raise Refused(f"something is hidden behind {info.filename[:100]} in the zip file")

    def _hidden(
        self, stream: IO[bytes], found: Found, name: str, depth: int, unlisted: Unlisted | None
    ) -> None:
        """Looks into what begins within a file; of a zip file, what its list leaves out."""
        end = 0
        for at, kind in found:
            if at < end or (unlisted is not None and at not in unlisted):
                continue
            self.count.require_depth(depth)
            if kind == "tar":
                end = self._tar(stream, depth, at)
            elif kind == "zip":
                end = self._local(stream, at, depth, listed=unlisted is not None)
            else:
                self.count.hidden(kind, at)
                self._missed(name)

    def _local(self, stream: IO[bytes], at: int, depth: int, *, listed: bool) -> int:
        """Looks into what a local header stands before. Offset of its end."""
        header = header_at(stream, at)
        name = header.name.decode("utf-8", "replace")
        self.count.file()
        try:
            member = Unpacked(stream, header.begins, header.packed, header.method)
        except NotImplementedError:
            self.count.hidden("zip", at)
            self._missed(name)
            return at
        if header.encrypted:
            self.count.encrypted()
            self._missed(name)
            return at
        before = self.count.unpacked
        self._member(cast("IO[bytes]", member), name, depth)
        if not member.broken:
            return member.ends
        if listed:
            raise Refused(f"{name[:100]}, which the list of the zip file leaves out, is broken")
        # Parts of a document may stand between those of what is packed in it.
        if self.count.unpacked > before:
            self.count.cut()
        return at

    def _tar(self, stream: IO[bytes], depth: int, at: int = 0) -> int:
        """Looks into a tar file. Offset of its end; Refused if anything stands behind one that has
        the file for itself."""
        stream.seek(at)
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
        if at:
            return packed.offset
        # Here it ended for tarfile; tar goes on to the next header that it finds.
        while data := stream.read(STEP):
            if data.count(0) != len(data):
                raise Refused("something is hidden behind the end of a tar file, or it is broken")
        return packed.offset

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
        search = hidden.Search()
        try:
            start = exactly(member, START_BYTES)
            if (kind := kind_of(start)) in STREAMS:
                self._stream(start, member, kind, name, depth)
                return
            kept, tail, size = io.BytesIO(), b"", 0
            for data in through(start, member, name, self.count, self._words):
                size += len(data)
                tail = (tail + data)[-TAIL_BYTES:]
                search.feed(data)
                if size <= NESTED_BYTES:
                    kept.write(data)
        except _BROKEN as error:
            raise Refused("a packed file is broken") from error
        found = search.end()
        if isinstance(member, Unpacked) and member.broken:
            self._missed(name)
        elif size <= NESTED_BYTES:
            self._whole(kept, kind, name, depth, found, text=text)
        elif kind or ZIP_END in tail or image(bytes(kept.getbuffer()[:IMAGE_BYTES]), tail):
            raise Refused("an archive within the archive is too large to look into")
        else:
            self._large(name, found, text=text)

    def _large(self, name: str, found: Found, *, text: bool) -> None:
        """What is too large to be held, and begins as no archive."""
        for at, kind in found:
            if kind in ("tar", "zip"):
                raise Refused(
                    f"{name[:100]} is too large to look into what it holds: upload it alone"
                )
            self.count.hidden(kind, at)
        if text or found:
            self._missed(name)

    def _whole(
        self, kept: io.BytesIO, kind: str, name: str, depth: int, found: Found, *, text: bool
    ) -> None:
        """What is not too large to be held."""
        stream = cast("IO[bytes]", kept)
        kinds = kinds_of(stream, name)
        if self._words is not None and text and not kind and "mail" not in kinds:
            self._words.document(name, kept.getvalue())
        self.opened(stream, kinds, name, depth + 1, found)

    def _stream(self, start: bytes, rest: IO[bytes], kind: str, name: str, depth: int) -> None:
        """A packed stream is unpacked as it comes, to its end: what stands behind it is hidden."""
        self.count.require_depth(depth + 1)
        joined = Joined(start, rest, self.count)
        self._member(unpacking(cast("IO[bytes]", joined), kind), name, depth + 1)
        while joined.read(STEP):
            pass
        if ZIP_END in joined.tail:
            raise Refused("an archive is hidden behind another one")

    def _missed(self, name: str) -> None:
        if self._words is not None:
            self._words.missed(name)
