"""Jobs on images: what they show."""

import time
from collections.abc import Iterator

import msgspec
from PIL import Image

from servers.multimedia.passages import gathered
from servers.multimedia.said import (
    Facts,
    ImageWish,
    LeftOut,
    Passage,
    Progress,
    Value,
    encoded,
)
from servers.multimedia.within import exif, ocr
from servers.multimedia.within.picture import decoded, in_words, opened, require_size
from servers.runtime.limited.failures import Unreadable
from servers.runtime.limited.job import JobFile
from servers.runtime.weights import WeightsWrong


def describe(file: JobFile, request: bytes) -> Iterator[bytes]:
    """Facts, and the text of each page."""
    wish = msgspec.msgpack.decode(request, type=ImageWish)
    until = time.monotonic() + wish.seconds
    with in_words():
        picture = opened(file, wish.most_pixels)
        pages = _pages(picture)
        facts = {**_size(picture, pages), **_exif(picture, location=wish.location)}
        first = decoded(picture, ocr.LONGEST_SIDE)
        yield encoded(Facts(facts))
        if picture.format != "TIFF" and getattr(picture, "is_animated", False):
            yield encoded(LeftOut("the picture moves; its first frame was read"))
        if not wish.ocr:
            return
        yield encoded(Progress(0.1))
        yield from _read(first, 1)
        yield from _further(picture, min(pages, wish.most_pages), wish.most_pixels, until)
        if pages > wish.most_pages:
            yield encoded(LeftOut(f"pages after the first {wish.most_pages} were left out"))


def _pages(picture: Image.Image) -> int:
    """Pages of a scan; of anything else there is one."""
    return int(getattr(picture, "n_frames", 1)) if picture.format == "TIFF" else 1


def _size(picture: Image.Image, pages: int) -> dict[str, Value]:
    """Width and height as people see it."""
    width, height = picture.size
    orientation = picture.getexif().get(0x0112, 1)
    if orientation in (5, 6, 7, 8):
        width, height = height, width
    facts: dict[str, Value] = {"width": width, "height": height, "format": picture.format or ""}
    if pages > 1:
        facts["pages"] = pages
    if orientation in range(2, 9):
        facts["orientation"] = int(orientation)
    return facts


def _exif(picture: Image.Image, *, location: bool) -> dict[str, Value]:
    try:
        return exif.facts_of(picture, location=location)
    except Exception:  # noqa: BLE001  # broken EXIF is no reason to leave out the picture
        return {}


def _read(picture: Image.Image, page: int) -> Iterator[bytes]:
    try:
        for text in gathered(ocr.paragraphs_in(picture)):
            yield encoded(Passage(text, page=page))
    except WeightsWrong:
        yield encoded(LeftOut(ocr.NOT_INSTALLED))


def _further(picture: Image.Image, pages: int, most_pixels: int, until: float) -> Iterator[bytes]:
    """The pages after the first."""
    for page in range(2, pages + 1):
        if time.monotonic() > until:
            yield encoded(LeftOut(f"pages from {page} on were left out: they take too long"))
            return
        try:
            picture.seek(page - 1)
            require_size(picture, most_pixels)
            seen = decoded(picture, ocr.LONGEST_SIDE)
        except (OSError, SyntaxError, ValueError, EOFError, Unreadable):
            yield encoded(LeftOut(f"page {page} is broken or too large"))
            continue
        yield encoded(Progress(page / pages))
        yield from _read(seen, page)
