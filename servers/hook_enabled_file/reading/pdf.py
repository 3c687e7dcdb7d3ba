"""Text of PDF by page, with PDFium. Runs in a job."""

from collections.abc import Iterator
from typing import IO

import pypdfium2 as pdfium
import pypdfium2.raw as raw

from servers.hook_enabled_file import extracted
from servers.hook_enabled_file.reading.segments import Bounds, segment
from servers.runtime.limited.failures import Unreadable


def read(stream: IO[bytes], bounds: Bounds) -> Iterator[bytes]:
    """A piece of text a page. Pages that cannot be read are told; so are those behind the last one
    that is read, and those that hold pictures alone."""
    document = _opened(stream)
    pages = len(document)
    yield extracted.facts({"pages": pages, **_facts(document)})
    broken, pictures = [], []
    for number in range(min(pages, bounds.pages)):
        try:
            text, shows = _page(document, number)
        except pdfium.PdfiumError:
            broken.append(number + 1)
            continue
        if text.strip():
            yield segment(text, page=number + 1)
        elif shows:
            pictures.append(number + 1)
    if broken:
        shown = ", ".join(map(str, broken[:10])) + (" and others" if broken[10:] else "")
        yield extracted.left_out(f"page {shown} cannot be read")
    if pictures:
        yield extracted.pictures(pictures)
    if pages > bounds.pages:
        yield extracted.left_out(
            f"pages {bounds.pages + 1} to {pages} were not read: {bounds.pages} are the most"
        )


def _opened(stream: IO[bytes]) -> pdfium.PdfDocument:
    try:
        return pdfium.PdfDocument(stream, autoclose=False)
    except pdfium.PdfiumError as error:
        if "password" in str(error).lower():
            raise Unreadable("the PDF is locked by a password") from error
        raise Unreadable("the PDF is broken: it cannot be opened") from error


def _page(document: pdfium.PdfDocument, number: int) -> tuple[str, bool]:
    """Its text, and whether it shows anything."""
    page = document[number]
    try:
        text = page.get_textpage()
        try:
            found = str(text.get_text_bounded()).replace("\r\n", "\n")
            return found, raw.FPDFPage_CountObjects(page) > 0
        finally:
            text.close()
    finally:
        page.close()


def _facts(document: pdfium.PdfDocument) -> dict[str, str]:
    try:
        title = document.get_metadata_value("Title")
    except ValueError:  # half a character; a title is not worth the pages
        return {}
    return {"title": title[:300]} if title else {}
