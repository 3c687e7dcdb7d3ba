"""Looking for a tenant's words in what is packed. Runs in a job.

What cannot be read is told by its name: nobody can say that the words are not in it.
"""

import io
import re
from collections.abc import Iterable

import yara_x

from kari.conversation_models.v1.file_pb2 import TextChunk
from servers.hook_enabled_file import extracted
from servers.hook_enabled_file.kinds import HTML, PDF, WORD
from servers.hook_enabled_file.reading import documents
from servers.hook_enabled_file.reading.plain import decoded
from servers.hook_enabled_file.reading.scanning import compiled, is_pdf, matches
from servers.hook_enabled_file.reading.segments import Bounds

_TAGS = re.compile(r"<[^<>]*>")
_OFFICE = ("word/", "xl/", "ppt/")
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


class Words:
    """The rules, and what was found of them so far."""

    def __init__(self, rules: str) -> None:
        self._scanner = yara_x.Scanner(compiled(rules))
        self.found: dict[str, str] = {}
        self.unread: list[str] = []

    def see(self, data: bytes) -> None:
        """Looks through bytes as they are."""
        self.found |= matches(self._scanner, data)

    def missed(self, name: str) -> None:
        """Something could not be read. Names are as somebody wrote them: no text at all perhaps."""
        if (cleaned := extracted.clean(name)) not in self.unread:
            self.unread.append(cleaned)

    def document(self, name: str, data: bytes) -> None:
        """Reads a document, a page or a text that is packed."""
        if not data:
            return
        try:
            whole = self._read(data, name)
        except Exception:  # noqa: BLE001  # hostile files raise whatever a library can raise
            whole = False
        if not whole:
            self.missed(name)

    def _read(self, data: bytes, name: str) -> bool:
        kind = _kind(data, name)
        if not kind:
            return False
        if kind == "text/plain":
            text = decoded(data)
            self.see(text.encode("utf-8", "replace"))
            self.see(_TAGS.sub("", text).encode("utf-8", "replace"))
            return True
        return self._pieces(documents.pieces(io.BytesIO(data), kind, Bounds()))

    def _pieces(self, pieces: Iterable[bytes]) -> bool:
        """Whether nothing was left out."""
        whole, texts = True, list[str]()
        for piece in pieces:
            if piece[:1] == extracted.TEXT:
                texts.append(TextChunk.FromString(piece[1:]).text)
            whole = whole and piece[:1] not in (extracted.LEFT_OUT, extracted.PICTURES)
        self.see("\n".join(texts).encode("utf-8", "replace"))
        return whole


def is_office(names: Iterable[str]) -> bool:
    """Whether the members of a zip file are those of a document that has a reader."""
    held = list(names)
    return "[Content_Types].xml" in held and any(name.startswith(_OFFICE) for name in held)


def _kind(data: bytes, name: str) -> str:
    """The media type by which a packed file is read; empty if there is no reader for it."""
    if is_pdf(data):
        return PDF
    if data.startswith(b"PK"):
        return WORD  # which kind of office document it is, its reader finds out
    if name.lower().endswith((".html", ".htm", ".xhtml")):
        return next(iter(HTML))
    return "text/plain" if data.startswith(_UTF16) or b"\0" not in data else ""
