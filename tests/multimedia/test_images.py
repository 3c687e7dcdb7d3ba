"""Images: what they show, what they say of themselves, and how models see them."""

import io
from pathlib import Path

import grpc
import pytest
from PIL import Image, ImageFilter, ImageOps

from embedded.stores import EmbeddedStores
from kari.errors.v1.errors_pb2 import Reason
from kari.multimedia.v1.multimedia_pb2 import PrepareImageRequest
from servers.runtime.errors import from_rpc
from tests.hosting import Somebody, hosting, settings_for
from tests.multimedia.media import Media
from tests.multimedia.samples import bomb, drawn, photographed, recorded, saved


async def refusal(media: Media, data: bytes, **wish: bool) -> tuple[Reason.ValueType, str]:
    """Why a file is not described."""
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await media.describe(data, **wish)
    error = from_rpc(refused.value)
    return error.reason, error.message


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP", "AVIF"])
async def test_text_in_a_picture_is_read(media: Media, kind: str) -> None:
    """Whatever kind of picture it is."""
    told = await media.describe(saved(drawn("Quarterly report", "Revenue grew"), kind), ocr=True)
    assert "Quarterly report" in told.text
    assert [chunk.anchor.page for chunk in told.description.chunks] == [1]
    assert (told.facts["width"], told.facts["height"]) == (900, 300)
    assert told.progress


async def test_a_turned_photograph_is_read_upright(media: Media) -> None:
    told = await media.describe(photographed(drawn("Turn me round"), orientation=6), ocr=True)
    assert "Turn me round" in told.text
    assert (told.facts["width"], told.facts["height"]) == (900, 300)


async def test_text_is_read_only_if_asked_for(media: Media) -> None:
    told = await media.describe(saved(drawn("Silence")))
    assert (told.text, told.warnings) == ("", "")


async def test_exif_is_told_without_the_place(media: Media) -> None:
    """Unless it is asked for."""
    picture = photographed(drawn("Somewhere"))
    facts = (await media.describe(picture)).facts
    assert facts["camera"] == "Pin Hole 3"
    assert facts["taken_at"] == "2026-11-28T10:20:30"
    assert "location" not in facts
    assert "52.5" not in str(facts)
    place = (await media.describe(picture, location=True)).facts["location"]
    assert dict(place) == {"latitude": 52.52, "longitude": -13.4}


async def test_whoever_runs_kari_may_ask_for_the_place(
    stores: EmbeddedStores, tmp_path: Path
) -> None:
    (tmp_path / "files.toml").write_text("[media]\nocr = false\nlocation = true\n")
    servers = "multimedia", "file_attachment"
    async with hosting(settings_for(stores, tmp_path), *servers) as wiring:
        media = Media(wiring, Somebody())
        with media.somebody.acts(wiring):
            facts = (await media.describe(photographed(drawn("Somewhere")))).facts
    assert dict(facts["location"]) == {"latitude": 52.52, "longitude": -13.4}


async def test_columns_are_read_one_after_the_other(media: Media) -> None:
    picture = Image.new("RGB", (1500, 420), "white")
    for left, words in ((0, "Left"), (760, "Right")):
        lines = [f"{words} column has {number} words" for number in ("one", "two", "three")]
        picture.paste(drawn(*lines, size=(720, 400), height=36), (left, 0))
    text = (await media.describe(saved(picture), ocr=True)).text
    assert text.index("Left column has three") < text.index("Right column has one")


async def test_a_page_that_was_photographed_askew_is_read_line_by_line(media: Media) -> None:
    """Its lines fall by more than stands between them."""
    lines = [f"Line {number} was written straight across the page" for number in ("one", "two")]
    lines += ["and stands beside nothing else", "until the last one comes"]
    page = drawn(*lines, size=(900, 260), height=32)
    askew = page.rotate(-4, Image.Resampling.BICUBIC, expand=True, fillcolor="gray")
    told = await media.describe(saved(askew.filter(ImageFilter.GaussianBlur(1)), "JPEG"), ocr=True)
    assert told.text.splitlines() == lines


async def test_small_text_on_a_dark_screen_is_read(media: Media) -> None:
    """Of ten pixels, on one of 1920 x 1080."""
    lines = ["The quick brown fox jumps over the lazy dog", "and the dog does not mind"]
    screen = ImageOps.invert(drawn(*lines, size=(1920, 1080), height=10))
    told = await media.describe(saved(screen), ocr=True)
    assert told.text.splitlines() == lines


async def test_pages_of_a_scan_have_their_numbers(media: Media) -> None:
    pages = [drawn(f"Page of {word}") for word in ("apples", "pears")]
    data = saved(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    told = await media.describe(data, ocr=True)
    found = {chunk.anchor.page: chunk.text for chunk in told.description.chunks}
    assert "apples" in found[1]
    assert "pears" in found[2]
    assert told.facts["pages"] == 2


async def test_the_first_frame_of_a_moving_picture_is_read(media: Media) -> None:
    frames = [drawn("First"), drawn("Second")]
    told = await media.describe(
        saved(frames[0], "GIF", save_all=True, append_images=frames[1:]), ocr=True
    )
    assert "First" in told.text
    assert "first frame" in told.warnings


async def test_a_bomb_is_refused_by_its_header(media: Media) -> None:
    """Before a pixel is decoded."""
    reason, message = await refusal(media, bomb(50_000, 50_000), ocr=True)
    assert reason == Reason.REASON_FILE_BROKEN
    assert "50000 x 50000" in message
    assert "20 million" in message


@pytest.mark.parametrize(
    "data",
    [
        saved(drawn("Cut"), "PNG")[:3000],
        saved(drawn("Cut"), "JPEG")[:3000],
        saved(drawn("Cut"), "GIF")[:2000],
        saved(drawn("Cut"), "TIFF")[:3000],
        bomb(4000, 4000),
    ],
    ids=["png", "jpeg", "gif", "tiff", "less-than-it-says"],
)
async def test_a_broken_picture_that_was_recognized_is_a_validation_error(
    media: Media, data: bytes
) -> None:
    """Nothing is told of a picture that cannot be seen."""
    reason, message = await refusal(media, data, ocr=True)
    assert reason == Reason.REASON_FILE_BROKEN
    assert "picture" in message


@pytest.mark.parametrize(
    "data", [b"plain text\n" * 20, b"<svg xmlns='http://www.w3.org/2000/svg'/>"]
)
async def test_what_is_no_image_is_named(media: Media, data: bytes) -> None:
    reason, message = await refusal(media, data)
    assert reason == Reason.REASON_FILE_TYPE
    assert "neither an image nor a recording" in message


async def test_a_file_of_another_tenant_does_not_exist(media: Media) -> None:
    file = await media.files.upload(saved(drawn("Mine")))
    other = Media(media.wiring, Somebody())
    with other.somebody.acts(other.wiring), pytest.raises(grpc.aio.AioRpcError) as refused:
        await other.told(file.id)
    assert from_rpc(refused.value).reason == Reason.REASON_FILE_NOT_FOUND


async def test_models_get_an_image_without_metadata(media: Media) -> None:
    """Upright, and no larger than asked."""
    picture = photographed(drawn("Private", size=(3000, 2000)), orientation=6)
    prepared = await media.prepare(picture, longest_side=1000)
    assert prepared.content_type == "image/jpeg"
    assert (prepared.width, prepared.height) == (1000, 667)
    seen = Image.open(io.BytesIO(prepared.data))
    assert seen.size == (1000, 667)
    assert not seen.getexif()
    assert not {"exif", "icc_profile", "comment"} & set(seen.info)


async def test_a_large_image_is_made_small_enough(media: Media) -> None:
    """Noise cannot be packed: it becomes a smaller picture."""
    noise = Image.effect_noise((2400, 2400), 100).convert("RGB")
    prepared = await media.prepare(saved(noise, "JPEG"))
    assert len(prepared.data) <= 1_500_000
    assert max(prepared.width, prepared.height) <= 1568


async def test_a_drawing_stays_without_loss_and_is_put_on_white(media: Media) -> None:
    layer = Image.new("RGBA", (40, 30), (255, 0, 0, 0))
    prepared = await media.prepare(saved(layer))
    assert prepared.content_type == "image/png"
    assert Image.open(io.BytesIO(prepared.data)).getpixel((0, 0)) == (255, 255, 255)


async def test_an_image_in_quarantine_is_not_prepared(media: Media) -> None:
    file = await media.files.upload(saved(drawn("Not yet")))
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await media.stub.PrepareImage(PrepareImageRequest(file_id=file.id))
    assert from_rpc(refused.value).reason == Reason.REASON_FILE_NOT_READY


async def test_a_recording_cannot_be_prepared(media: Media) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await media.prepare(recorded())
    assert from_rpc(refused.value).reason == Reason.REASON_FILE_TYPE
