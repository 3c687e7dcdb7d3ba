"""Text of a document, by what it is. Runs in a job."""

import json
import zipfile
from collections.abc import Callable, Iterator
from typing import IO, cast

from kari.conversation_models.v1.file_pb2 import TextChunk
from servers.hook_enabled_file import extracted
from servers.hook_enabled_file.kinds import EPUB, HTML, MAIL, OFFICE, OPEN_DOCUMENTS, PDF
from servers.hook_enabled_file.reading.segments import Bounds
from servers.runtime.limited.failures import Unreadable
from servers.runtime.limited.job import JobFile

Reader = Callable[[IO[bytes], Bounds], Iterator[bytes]]


def read(file: JobFile, request: bytes) -> Iterator[bytes]:
    """The text of a document, up to its bounds; `request` is JSON with `content_type`, `bounds`."""
    asked = json.loads(request)
    bounds = Bounds(**asked.get("bounds", {}))
    yield from pieces(cast("IO[bytes]", file), asked["content_type"], bounds)


def pieces(stream: IO[bytes], content_type: str, bounds: Bounds) -> Iterator[bytes]:
    """The same of a document that is open."""
    reader = _reader(content_type, stream)
    stream.seek(0)
    left = bounds.characters
    for piece in reader(stream, bounds):
        if piece[:1] == extracted.TEXT:
            left -= len(TextChunk.FromString(piece[1:]).text)
            if left < 0:
                yield extracted.left_out(f"only the first {bounds.characters} characters were read")
                return
        yield piece


def _reader(content_type: str, stream: IO[bytes]) -> Reader:
    # Imported when they are needed in a test's own process; the zygote has them all.
    from servers.hook_enabled_file.reading import (
        book,
        mail,
        markup,
        opendocument,
        pdf,
        plain,
        rich,
        sheets,
        slides,
        word,
    )

    start = stream.read(5)
    if content_type == PDF or start == b"%PDF-":  # what is broken is taken for text
        return pdf.read
    if content_type in MAIL:
        return mail.read
    if content_type in HTML:
        return markup.read
    if start[:4] == b"PK\x03\x04":
        readers = {"word": word.read, "xl": sheets.read, "ppt": slides.read}
        readers |= {opendocument.CONTENT: opendocument.read, book.CONTAINER: book.read}
        return readers[_office(stream)]
    if start == b"{\\rtf":
        return rich.read
    if content_type in OPEN_DOCUMENTS or content_type == EPUB:
        raise Unreadable("the document is broken: it is no zip file")
    if start[:4] == b"\xd0\xcf\x11\xe0" and content_type in OFFICE:
        raise Unreadable("the document is locked by a password, or of a format before 2007")
    return plain.read


def _office(stream: IO[bytes]) -> str:
    try:
        with zipfile.ZipFile(stream) as packed:
            names = packed.namelist()
    except zipfile.BadZipFile as error:
        raise Unreadable("the document is broken: it is no zip file") from error
    for kind in ("word", "xl", "ppt"):
        if any(name.startswith(f"{kind}/") for name in names):
            return kind
    for whole in ("META-INF/container.xml", "content.xml"):
        if whole in names:
            return whole
    raise Unreadable("the zip file holds no document")
