"""Files without what tells of their makers. Runs in a job.

The first piece is JSON: `done`, sentences of what was taken out, and `left`, of what was not. Then
comes the file, if there is anything else to give.
"""

import io
import json
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, cast

from servers.hook_enabled_file.kinds import PDF
from servers.hook_enabled_file.reading.office import without_properties
from servers.runtime.limited.failures import Unreadable
from servers.runtime.limited.job import JobFile

if TYPE_CHECKING:
    from PIL import Image

IMAGES = {"image/jpeg": "JPEG", "image/png": "PNG", "image/webp": "WEBP", "image/tiff": "TIFF"}
KEPT = {
    "JPEG": ("icc_profile",),
    "PNG": ("icc_profile", "transparency"),
    "WEBP": ("icc_profile",),
    "TIFF": ("icc_profile",),
}
"""What stays of what a picture says besides its pixels: without it, it looks different."""
LOSSLESS = frozenset({"group3", "group4", "packbits", "tiff_ccitt", "tiff_lzw"})
RAW_TAGS = (0x014A, 0xC612)
"""SubIFDs and DNGVersion: what such a file shows as its picture is a preview."""
MOST_PIXELS = 100_000_000
STEP = 1024 * 1024


def strip(file: JobFile, request: bytes) -> Iterator[bytes]:
    """The file without its metadata; `request` is its media type."""
    content_type, stream = request.decode(), cast("IO[bytes]", file)
    if content_type in IMAGES:
        done, left, data = _image(stream, IMAGES[content_type])
    elif content_type == PDF:
        done, left, data = _pdf(stream)
    else:
        done = "authors, dates and company were taken out"
        left, data = "names at comments and changes were left", without_properties(stream)
    yield json.dumps({"done": done, "left": left}).encode()
    for at in range(0, len(data), STEP):
        yield data[at : at + STEP]


def _image(stream: IO[bytes], format_: str) -> tuple[str, str, bytes]:
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = MOST_PIXELS
    done = "EXIF, place and device were taken out"
    with Image.open(stream, formats=[format_]) as image:
        if format_ == "TIFF":
            return done, "", _pages(image)
        # A photo with its preview or its map of brightness behind it: the photo is the first.
        if format_ == "JPEG" and "mp" in image.info:
            done = f"{done}, with the pictures behind the first"
        elif getattr(image, "n_frames", 1) > 1:
            raise Unreadable("pictures that move keep their metadata: they cannot be taken out")
        saved, kept = io.BytesIO(), {key: image.info.get(key) for key in KEPT[format_]}
        quality = {} if format_ == "PNG" else {"quality": 95}
        _bare(image).save(saved, format=format_, **kept, **quality)
    return done, "", saved.getvalue()


def _bare(image: "Image.Image") -> "Image.Image":
    """The pixels, and the palette that they ask for."""
    from PIL import ImageOps

    # The way up is in the metadata too: it goes into the picture.
    bare = ImageOps.exif_transpose(image).copy()
    bare.info = {}
    return bare


def _pages(image: "Image.Image") -> bytes:
    """All pages of a TIFF, one after the other: together they may not fit into memory."""
    from PIL.TiffImagePlugin import AppendingTiffWriter

    saved = io.BytesIO()
    with AppendingTiffWriter(saved, new=True) as out:
        for number in range(getattr(image, "n_frames", 1)):
            image.seek(number)
            if any(tag in image.getexif() for tag in RAW_TAGS):
                raise Unreadable("raw photos keep their metadata: they cannot be taken out")
            kept = {key: image.info.get(key) for key in KEPT["TIFF"]}
            packed = image.info.get("compression")
            compression = packed if packed in LOSSLESS else "tiff_adobe_deflate"
            _bare(image).save(out, format="TIFF", compression=compression, **kept)
            out.newFrame()
    return saved.getvalue()


def _pdf(stream: IO[bytes]) -> tuple[str, str, bytes]:
    import pypdfium2 as pdfium

    try:
        document = pdfium.PdfDocument(stream)
    except pdfium.PdfiumError as error:
        raise Unreadable("the PDF cannot be opened, so its metadata stay") from error
    bare = pdfium.PdfDocument.new()
    bare.import_pages(document)
    saved = io.BytesIO()
    bare.save(saved)
    return (
        "authors, dates and programs were taken out, with bookmarks and forms",
        "what pictures within it tell was left",
        saved.getvalue(),
    )
