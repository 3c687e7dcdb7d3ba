"""Jobs on PDFs: the text on pages that are pictures, such as scans."""

import math
import time
from collections.abc import Iterator
from typing import IO, cast

import msgspec
import pypdfium2 as pdfium
from PIL import Image

from servers.multimedia.page_numbers import unread
from servers.multimedia.said import Facts, LeftOut, PagesWish, Progress, encoded
from servers.multimedia.within import ocr
from servers.multimedia.within.image import read
from servers.runtime.limited.failures import Unreadable
from servers.runtime.limited.job import JobFile

DOTS = 200 / 72
"""Of a picture in a point of the page: 200 an inch."""


def describe(file: JobFile, request: bytes) -> Iterator[bytes]:
    """How many pages there are, and the text of those that are wanted."""
    wish = msgspec.msgpack.decode(request, type=PagesWish)
    until = time.monotonic() + wish.seconds
    document = _opened(file)
    there = len(document)
    yield encoded(Facts({"pages": there}))
    wanted = [page for page in wish.pages or range(1, there + 1) if page <= there]
    broken = []
    now, more = wanted[: wish.most_pages], wanted[wish.most_pages :]
    for done, page in enumerate(now):
        yield encoded(Progress(done / len(now)))
        if time.monotonic() > until:
            yield _left_out(now[done:], "they take too long")
            break
        try:
            seen = drawn(document, page - 1, wish.most_pixels)
        except (pdfium.PdfiumError, ValueError):
            broken.append(page)
            continue
        yield from read(seen, page)
    if broken:
        yield _left_out(broken, "it is broken" if len(broken) == 1 else "they are broken")
    if more:
        yield _left_out(more, f"{wish.most_pages} are the most")


def drawn(document: pdfium.PdfDocument, at: int, most_pixels: int) -> Image.Image:
    """A page as a picture, no larger than lines are read in. ValueError if it has no size."""
    page = document[at]
    try:
        width, height = page.get_size()
        if not (0 < width < math.inf and 0 < height < math.inf):
            raise ValueError("a page without a size")
        scale = min(
            DOTS,
            ocr.LONGEST_SIDE / max(width, height),
            math.sqrt(most_pixels / (width * height)),
        )
        return cast(Image.Image, page.render(scale=scale, maybe_alpha=False).to_pil())
    finally:
        page.close()


def _opened(file: JobFile) -> pdfium.PdfDocument:
    try:
        return pdfium.PdfDocument(cast("IO[bytes]", file), autoclose=False)
    except pdfium.PdfiumError as error:
        raise Unreadable("the PDF is broken, or locked by a password") from error


def _left_out(pages: list[int], why: str) -> bytes:
    return encoded(LeftOut(unread(pages, why)))
