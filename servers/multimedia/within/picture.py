"""Opening pictures: kinds, sizes and orientation, before and while they are decoded."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, cast

from PIL import Image, ImageOps, UnidentifiedImageError

from servers.runtime.limited.failures import Unreadable
from servers.runtime.limited.job import JobFile

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP", "AVIF", "ICO")
LONGEST_SIDE = 100_000
"""A line of pixels that is longer is no picture."""
SEVERAL_TIMES = ("WEBP", "AVIF")
MOST_SEVERAL_TIMES = 60_000_000
"""Pixels of kinds whose decoders hold a picture four times, at four bytes each."""
ORIENTATION = 0x0112
ENOUGH = 1.5
"""Times the pixels that are looked at, from which a picture is made smaller without loss."""

# Once, for every job: without this each would import the kinds of pictures anew.
Image.init()
# Sizes are looked at here, before Pillow does: it would only warn of the lesser bombs.
Image.MAX_IMAGE_PIXELS = None
# Whatever a file makes Pillow warn of is the file's fault.
warnings.simplefilter("ignore")


def opened(file: JobFile, most_pixels: int) -> Image.Image:
    """A picture of which only the header was read. Unreadable if it is none, or too large."""
    try:
        picture = Image.open(cast(BinaryIO, file), formats=FORMATS)
    except UnidentifiedImageError as error:
        raise Unreadable(
            f"this is no whole picture of a kind that is read: {', '.join(FORMATS)}"
        ) from error
    require_size(picture, most_pixels)
    return picture


def require_size(picture: Image.Image, most_pixels: int) -> None:
    """Unreadable if a picture has more pixels than are decoded."""
    width, height = picture.size
    if picture.format in SEVERAL_TIMES:
        most_pixels = min(most_pixels, MOST_SEVERAL_TIMES)
    if width * height > most_pixels or max(width, height) > LONGEST_SIDE:
        raise Unreadable(
            f"the picture says that it has {width} x {height} pixels; "
            f"at most {most_pixels // 1_000_000} million are read"
        )


def decoded(picture: Image.Image, side: int) -> Image.Image:
    """The picture upright, in RGB, on white where it is transparent; of a JPEG no more than is
    needed for a longest side of so many pixels."""
    picture.draft("RGB", (side, side))
    picture.load()
    turned = picture.getexif().get(ORIENTATION, 1)
    small = _reduced(picture, side)
    if turned != 1:
        small.getexif()[ORIENTATION] = turned
        small = ImageOps.exif_transpose(small)
    return flattened(small)


def _reduced(picture: Image.Image, side: int) -> Image.Image:
    """The picture with a fraction of its pixels where it has many more than are looked at: each
    copy of a hundred million takes 400 MB."""
    factor = int(max(picture.size) / (side * ENOUGH))
    if factor < 2:
        return picture
    if picture.mode in ("P", "PA"):
        picture = picture.convert("RGBA" if picture.has_transparency_data else "RGB")
    elif picture.mode == "1":
        picture = picture.convert("L")
    return _in_bytes(picture).reduce(factor)


def _in_bytes(picture: Image.Image) -> Image.Image:
    """The picture with eight bits a channel."""
    if picture.mode.startswith("I;16"):
        picture = picture.convert("I")
    if picture.mode == "I":
        picture = picture.point(lambda value: value / 256).convert("L")
    return picture


def flattened(picture: Image.Image) -> Image.Image:
    """In RGB, on white where it is transparent. Nothing but pixels goes over."""
    picture = _in_bytes(picture)
    if picture.has_transparency_data:
        layer = picture if picture.mode == "RGBA" else picture.convert("RGBA")
        flat = Image.new("RGB", layer.size, "white")
        flat.paste(layer, mask=layer.getchannel("A"))
        return flat
    flat = Image.new("RGB", picture.size)
    flat.paste(picture if picture.mode == "RGB" else picture.convert("RGB"))
    return flat


@contextmanager
def in_words() -> Iterator[None]:
    """What Pillow raises over a broken picture, as a sentence: Unreadable."""
    try:
        yield
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise Unreadable("the picture is broken, or ends before its end") from error
