"""Images: what they show, what they say of themselves, and how models see them."""

import pytest

from tests.multimedia.media import Media
from tests.multimedia.samples import drawn, photographed, saved


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP", "AVIF"])
async def test_text_in_a_picture_is_read(media: Media, kind: str) -> None:
    """Whatever kind of picture it is."""
    told = await media.describe(saved(drawn("Quarterly report", "Revenue grew"), kind), ocr=True)
    assert "Quarterly report" in told.text
    assert [chunk.anchor.page for chunk in told.description.chunks] == [1]
    assert (told.facts["width"], told.facts["height"]) == (900, 300)


async def test_a_turned_photograph_is_read_upright(media: Media) -> None:
    told = await media.describe(photographed(drawn("Turn me round"), orientation=6), ocr=True)
    assert "Turn me round" in told.text
    assert (told.facts["width"], told.facts["height"]) == (900, 300)
