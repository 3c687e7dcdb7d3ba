"""Text of EPUB by chapter. Runs in a job."""

import posixpath
import zipfile
from collections.abc import Iterator
from typing import IO
from urllib.parse import unquote

from lxml import etree  # type: ignore[import-untyped]  # it has no types
from selectolax.lexbor import LexborHTMLParser

from servers.hook_enabled_file import extracted
from servers.hook_enabled_file.reading.markup import blocks
from servers.hook_enabled_file.reading.plain import decoded
from servers.hook_enabled_file.reading.segments import Bounds, segment
from servers.runtime.limited.failures import Unreadable

CONTAINER, RIGHTS = "META-INF/container.xml", "META-INF/encryption.xml"
MOST_BESIDE = 4_000_000
"""Bytes of a list of what a book holds."""
MOST_TOGETHER = 1500
"""Characters of a piece: some paragraphs."""
_LOCKS = (b"xmlenc#aes", b"xmlenc#rsa")
"""In what is said of encryption; fonts are hidden by other means."""
_PACKAGE = "{http://www.idpf.org/2007/opf}"
_TITLE = "{http://purl.org/dc/elements/1.1/}title"
_ROOT = "{urn:oasis:names:tc:opendocument:xmlns:container}rootfile"


def read(stream: IO[bytes], bounds: Bounds) -> Iterator[bytes]:
    """Pieces of some paragraphs, in the order of reading. Their page is the number of the chapter:
    a book of this kind has no other pages."""
    with zipfile.ZipFile(stream) as packed:
        rights = _part(packed, RIGHTS, MOST_BESIDE)
        if any(lock in rights for lock in _LOCKS):
            raise Unreadable("the book is locked")
        package, folder = _package(packed)
        title = (package.findtext(f".//{_TITLE}") or "").strip()
        chapters = _chapters(package, folder)
        yield extracted.facts(
            {"chapters": len(chapters)} | ({"title": title[:300]} if title else {})
        )
        missing = 0
        for number, name in enumerate(chapters[: bounds.pages], start=1):
            try:
                data = _part(packed, name, bounds.characters)
            except (zipfile.BadZipFile, EOFError, OSError, ValueError, NotImplementedError):
                data = b""
            missing += not data
            yield from _pieces(data, number)
    if missing:
        yield extracted.left_out(f"{missing} of {len(chapters)} chapters cannot be read")
    if len(chapters) > bounds.pages:
        yield extracted.left_out(f"chapters behind {bounds.pages} were not read")


def _pieces(data: bytes, chapter: int) -> Iterator[bytes]:
    held = ""
    for text in blocks(LexborHTMLParser(decoded(data))):
        if held and len(held) + len(text) > MOST_TOGETHER:
            yield segment(held, page=chapter)
            held = ""
        held = f"{held}\n{text}" if held else text
    if held:
        yield segment(held, page=chapter)


def _package(packed: zipfile.ZipFile) -> tuple[etree._Element, str]:
    """What lists a book's parts, and the folder from which it names them."""
    root = _parsed(_part(packed, CONTAINER, MOST_BESIDE)).find(f".//{_ROOT}")
    name = "" if root is None else root.get("full-path") or ""
    return _parsed(_part(packed, name, MOST_BESIDE)), posixpath.dirname(name)


def _chapters(package: etree._Element, folder: str) -> list[str]:
    names = {
        item.get("id"): unquote(item.get("href") or "") for item in package.iter(f"{_PACKAGE}item")
    }
    spine = (item.get("idref") for item in package.iter(f"{_PACKAGE}itemref"))
    return [posixpath.normpath(posixpath.join(folder, names[at])) for at in spine if at in names]


def _parsed(data: bytes) -> etree._Element:
    parser = etree.XMLParser(resolve_entities=False, no_network=True)
    try:
        return etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        raise Unreadable("the book is broken: it does not say what it holds") from error


def _part(packed: zipfile.ZipFile, name: str, most: int) -> bytes:
    try:
        with packed.open(name) as part:
            return part.read(most)
    except KeyError:
        return b""
