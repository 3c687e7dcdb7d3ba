"""Pictures as large as they may be: the limits of a job hold them."""

from contextlib import aclosing

import pytest

from servers.multimedia.configuration import Media
from servers.multimedia.jobs import Jobs
from servers.multimedia.said import Facts, ImageWish, Sight, SightWish
from servers.runtime.limited import BytesSource
from tests.multimedia.samples import flat

MEDIA = Media(ocr=False)
PIXELS = int(MEDIA.megapixels * 1_000_000)


@pytest.mark.parametrize("channels", [3, 4], ids=["colours", "transparent"])
async def test_what_may_be_read_can_be(channels: int) -> None:
    """A picture of as many pixels as are allowed, with the memory that a job has."""
    source = BytesSource(flat(10_000, PIXELS // 10_000, channels))
    image = ImageWish(ocr=False, location=False, most_pixels=PIXELS, most_pages=1, seconds=60)
    sight = SightWish(longest_side=4096, most_bytes=1_500_000, most_pixels=PIXELS)
    async with Jobs(MEDIA).opened() as jobs:
        async with aclosing(jobs.of_image(source, image, 60)) as said:
            (facts,) = [each async for each in said]
        async with aclosing(jobs.sight(source, sight, 60)) as said:
            (seen,) = [each async for each in said]
    assert isinstance(facts, Facts)
    assert facts.values["width"] == 10_000
    assert isinstance(seen, Sight)
    assert (seen.width, seen.height) == (4096, 4096)
