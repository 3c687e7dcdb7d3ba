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
    if width * height > most_pixels or max(width, height) > LONGEST_SIDE:
        raise Unreadable(
            f"the picture says that it has {width} x {height} pixels; "
            f"at most {most_pixels // 1_000_000} million are read"
        )


def decoded(picture: Image.Image, side: int) -> Image.Image:
    """The picture upright, in RGB, on white where it is transparent; of a JPEG no more than is
    needed for a longest side of so many pixels."""
    picture.draft("RGB", (side, side))
    upright = ImageOps.exif_transpose(picture)
    return flattened(upright)


def flattened(picture: Image.Image) -> Image.Image:
    """In RGB, on white where it is transparent. Nothing but pixels goes over."""
    if picture.mode.startswith("I;16"):
        picture = picture.convert("I")
    if picture.mode == "I":
        picture = picture.point(lambda value: value / 256).convert("L")
    if picture.has_transparency_data:
        layer = picture.convert("RGBA")
        flat = Image.new("RGB", layer.size, "white")
        flat.paste(layer, mask=layer.getchannel("A"))
        return flat
    flat = Image.new("RGB", picture.size)
    flat.paste(picture.convert("RGB"))
    return flat


@contextmanager
def in_words() -> Iterator[None]:
    """What Pillow raises over a broken picture, as a sentence: Unreadable."""
    try:
        yield
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise Unreadable("the picture is broken, or ends before its end") from error
