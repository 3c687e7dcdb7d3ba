"""Text of OpenDocument texts, tables and presentations. Runs in a job."""

import zipfile
from collections.abc import Iterator
from typing import IO

from lxml import etree  # type: ignore[import-untyped]  # it has no types

from kari.conversation_models.v1.file_pb2 import Anchor, SheetRow, TextChunk
from servers.hook_enabled_file import extracted
from servers.hook_enabled_file.extracted import clean
from servers.hook_enabled_file.reading.segments import Bounds, segment
from servers.runtime.limited.failures import Unreadable

CONTENT, META, MANIFEST = "content.xml", "meta.xml", "META-INF/manifest.xml"
MOST_BESIDE = 1_000_000
"""Bytes that are read of what a document says of itself."""
MOST_ALIKE = 50
"""Cells in a row that are told where a document says that so many are alike: most are empty, up to
the width of a sheet."""
_NAMESPACE = "{urn:oasis:names:tc:opendocument:xmlns:%s:1.0}"
_TEXT, _TABLE, _DRAW = (_NAMESPACE % name for name in ("text", "table", "drawing"))
_TITLE = "{http://purl.org/dc/elements/1.1/}title"
_PARAGRAPHS = frozenset({f"{_TEXT}p", f"{_TEXT}h"})
_ROW, _CELL, _SHEET = f"{_TABLE}table-row", f"{_TABLE}table-cell", f"{_TABLE}table"
_PAGE, _DELETED = f"{_DRAW}page", f"{_TEXT}tracked-changes"
_SPACES = {f"{_TEXT}s": " ", f"{_TEXT}tab": "\t", f"{_TEXT}line-break": "\n"}


def read(stream: IO[bytes], bounds: Bounds) -> Iterator[bytes]:
    """A piece a paragraph, a row of a table, or a slide; what was deleted and is kept for its
    history is none. XML is read as it is unpacked, and forgotten behind."""
    with zipfile.ZipFile(stream) as packed:
        if b"encryption-data" in _beside(packed, MANIFEST):
            raise Unreadable("the document is locked by a password")
        if title := _title(_beside(packed, META)):
            yield extracted.facts({"title": title[:300]})
        with packed.open(CONTENT) as content:
            yield from _Content(bounds).pieces(content)


class _Content:
    """Goes through the elements of a document."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._line = self._page = self._row = self._deleted = 0
        self._sheet = ""
        self._is_table = False
        self._slide: list[str] = []
        self._cells: list[list[str]] = []
        self._texts: list[list[str]] = []

    def pieces(self, content: IO[bytes]) -> Iterator[bytes]:
        """Everything, up to the bounds."""
        events = etree.iterparse(
            content, events=("start", "end"), resolve_entities=False, no_network=True
        )
        for event, element in events:
            if event == "start":
                self._begin(element)
                if self._page > self._bounds.pages:
                    yield extracted.left_out(f"slides behind {self._bounds.pages} were not read")
                    return
                continue
            yield from self._end(element)
            if self._is_table and self._row > self._bounds.rows:
                yield extracted.left_out(f"only the first {self._bounds.rows} rows were read")
                return

    def _begin(self, element: etree._Element) -> None:
        tag = element.tag
        if tag == _DELETED:
            self._deleted += 1
        elif tag == _PAGE:
            self._page += 1
            self._slide = []
        elif tag == _SHEET and not self._cells:
            self._sheet = element.get(f"{_TABLE}name") or ""
            self._row = 0
        elif tag == _ROW:
            self._cells.append([])
        elif tag == _CELL:
            self._texts.append([])
        elif str(tag).endswith("}spreadsheet"):
            self._is_table = True

    def _end(self, element: etree._Element) -> Iterator[bytes]:
        tag = element.tag
        if tag in _PARAGRAPHS:
            if not self._deleted:
                yield from self._said(_text(element))
        elif tag == _CELL and self._texts:
            self._cell(" ".join(self._texts.pop()), element)
        elif tag == _ROW and self._cells:
            yield from self._whole_row(self._cells.pop(), element)
        elif tag == _PAGE:
            if text := "\n".join(self._slide):
                yield segment(text, page=self._page)
        elif tag == _DELETED:
            self._deleted -= 1
        elif tag != _SHEET:
            return
        element.clear(keep_tail=True)

    def _said(self, text: str) -> Iterator[bytes]:
        if self._texts:
            self._texts[-1] += [text] if text.strip() else []
        elif self._page:
            self._slide += [text] if text.strip() else []
        else:
            self._line += 1
            if text.strip():
                yield segment(text, line=self._line)

    def _cell(self, text: str, element: etree._Element) -> None:
        times = _times(element, f"{_TABLE}number-columns-repeated")
        if self._cells:
            self._cells[-1] += [text] * min(times, MOST_ALIKE)

    def _whole_row(self, cells: list[str], element: etree._Element) -> Iterator[bytes]:
        while cells and not cells[-1]:
            cells.pop()
        text = " | ".join(cells).replace("\n", " ")
        if not self._is_table:
            yield from self._said(text)
            return
        number = self._row + 1
        self._row += _times(element, f"{_TABLE}number-rows-repeated")
        if text:
            row = SheetRow(sheet=clean(self._sheet), row=number)
            yield extracted.text(TextChunk(text=clean(text), anchor=Anchor(row=row)))


def _text(paragraph: etree._Element) -> str:
    parts = [paragraph.text or ""]
    for element in paragraph.iterdescendants():
        parts.append(_SPACES.get(str(element.tag), "") + (element.text or ""))
        parts.append(element.tail or "")
    return "".join(parts).strip()


def _times(element: etree._Element, name: str) -> int:
    said = element.get(name) or "1"
    return max(1, int(said)) if said.isascii() and said.isdigit() and len(said) < 8 else 1


def _beside(packed: zipfile.ZipFile, name: str) -> bytes:
    try:
        with packed.open(name) as part:
            return part.read(MOST_BESIDE)
    except KeyError:
        return b""


def _title(meta: bytes) -> str:
    try:
        parser = etree.XMLParser(resolve_entities=False, no_network=True)
        return (etree.fromstring(meta, parser).findtext(f".//{_TITLE}") or "").strip()
    except etree.XMLSyntaxError:  # a title is not worth the text
        return ""
