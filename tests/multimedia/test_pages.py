"""Pages of PDFs that are pictures."""

import asyncio
from contextlib import aclosing

import pytest

from kari.errors.v1.errors_pb2 import Reason
from servers.multimedia.configuration import Media as Limits
from servers.multimedia.jobs import Jobs
from servers.multimedia.page_numbers import unread
from servers.multimedia.said import PagesWish
from servers.runtime.limited import BytesSource, JobFailed, Why
from tests.hook_enabled_file.fuzzing import mutants
from tests.hook_enabled_file.samples import bound, locked_pdf, looping_pdf, pdf, scans
from tests.multimedia.media import Media
from tests.multimedia.samples import drawn
from tests.multimedia.test_images import refusal


async def test_text_on_scans_is_read_with_its_pages(media: Media) -> None:
    sheets = scans(drawn("The mill opens", "at nine"), drawn("Flour is sold"))
    told = await media.describe(sheets, "scan.pdf", ocr=True)
    found = {chunk.anchor.page: chunk.text for chunk in told.description.chunks}
    assert "The mill opens" in found[1]
    assert "Flour" in found[2]
    assert (told.facts["pages"], told.warnings) == (2, "")
    assert told.progress


async def test_pages_that_are_wanted_are_read_alone(media: Media) -> None:
    """Of more than are read, the first; of those that are not there, none."""
    sheets = scans(*(drawn(f"Sheet {n}", size=(300, 120)) for n in range(1, 8)))
    file = await media.files.upload(bound(pdf(["Typed"]), sheets), "mixed.pdf")
    told = await media.told(file.id, ocr=True, pages=[2, 4, 5, 7, 8, 99])
    assert [chunk.anchor.page for chunk in told.description.chunks] == [2, 4, 5]
    assert told.warnings == "pages 7 to 8 are pictures and were not read: 3 are the most"


async def test_a_page_of_any_size_is_drawn_as_large_as_it_is_read(media: Media) -> None:
    """However large it says it is: its lines are read in no more than 2,400 pixels."""
    large = pdf(["vast"]).replace(b"[0 0 612 792]", b"[0 0 9e9 9e9]")
    told = await media.describe(large, "large.pdf", ocr=True)
    assert told.facts["pages"] == 1


@pytest.mark.parametrize(
    "data", [locked_pdf(), b"%PDF-1.7\n" + bytes(500)], ids=["locked", "broken"]
)
async def test_a_pdf_that_cannot_be_opened_is_a_validation_error(media: Media, data: bytes) -> None:
    reason, message = await refusal(media, data, ocr=True)
    assert reason == Reason.REASON_FILE_BROKEN
    assert "PDF" in message


async def test_a_page_that_cannot_be_drawn_is_told(media: Media) -> None:
    """Here because its tree of pages holds itself."""
    told = await media.describe(looping_pdf(), ocr=True)
    assert told.warnings == "page 1 is a picture and was not read: it is broken"


async def test_hostile_pdfs_do_the_server_no_harm() -> None:
    """Truncated and mutated ones: each is read, or its job fails."""
    whole = scans(drawn("Hi", size=(60, 40), height=12))
    wish = PagesWish([], most_pixels=1_000_000, most_pages=2, seconds=20)
    async with Jobs(Limits()).opened() as jobs:

        async def outcome(data: bytes) -> str:
            try:
                async with aclosing(jobs.of_pages(BytesSource(data), wish, 20)) as said:
                    return "read" if [each async for each in said] else "nothing"
            except JobFailed as failed:
                return failed.why.value

        samples = [whole, *mutants(whole, 40, seed=6)]
        found = await asyncio.gather(*map(outcome, samples))
    assert found[0] == "read"
    assert not {Why.ROOM, "nothing"} & set(found)


def test_pages_are_named_by_spans() -> None:
    assert unread([], "why") == ""
    assert unread([4], "why") == "page 4 is a picture and was not read: why"
    assert unread([3, 2, 9], "so").startswith("pages 2 to 3 and 9 are pictures and were not")
    many = unread(range(1, 40, 2), "so")
    assert many.startswith("pages 1, 3, 5, 7, 9, 11 and others are pictures")
