"""Jobs on images: how models see them. It imports little, so that its room opens at once."""

import io
from collections.abc import Iterator

import msgspec
from PIL import Image

from servers.multimedia.said import Sight, SightWish, encoded
from servers.multimedia.within.picture import decoded, in_words, opened
from servers.runtime.limited.job import JobFile

QUALITIES = (88, 80, 70, 60)
SMALLER = 0.75


def prepare(file: JobFile, request: bytes) -> Iterator[bytes]:
    """The image as models see it: upright, no larger than asked, nothing but pixels."""
    wish = msgspec.msgpack.decode(request, type=SightWish)
    with in_words():
        source = opened(file, wish.most_pixels)
        kind = source.format
        picture = decoded(source, wish.longest_side)
    picture.thumbnail((wish.longest_side, wish.longest_side), Image.Resampling.LANCZOS)
    yield encoded(_fitted(picture, wish.most_bytes, lossless=kind in ("PNG", "GIF", "BMP")))


def _fitted(picture: Image.Image, most_bytes: int, *, lossless: bool) -> Sight:
    if lossless:
        data = _saved(picture, "PNG", optimize=False)
        if len(data) <= most_bytes:
            return Sight(data, "image/png", *picture.size)
    while True:
        for quality in QUALITIES:
            data = _saved(picture, "JPEG", quality=quality)
            if len(data) <= most_bytes:
                return Sight(data, "image/jpeg", *picture.size)
        width, height = (max(1, int(side * SMALLER)) for side in picture.size)
        picture = picture.resize((width, height), Image.Resampling.LANCZOS)


def _saved(picture: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()
