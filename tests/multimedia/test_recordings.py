"""Sound and video: facts, what is on screen, and what is broken."""

import pytest

from kari.errors.v1.errors_pb2 import Reason
from tests.multimedia.media import Media
from tests.multimedia.samples import drawn, filmed, recorded, saved
from tests.multimedia.test_images import refusal


@pytest.mark.parametrize(
    ("kind", "codec", "rate"),
    [("wav", "pcm_s16le", 16_000), ("mp3", "libmp3lame", 44_100), ("ogg", "libopus", 48_000)],
)
async def test_facts_of_a_recording_are_told(
    media: Media, kind: str, codec: str, rate: int
) -> None:
    told = await media.describe(recorded(2, kind, codec, rate))
    assert told.facts["duration_seconds"] == pytest.approx(2, abs=0.1)
    assert (told.facts["sample_rate"], told.facts["channels"]) == (rate, 1)
    assert not told.warnings


async def test_what_a_video_shows_is_read_with_its_time(media: Media) -> None:
    """What stands there unchanged is told once."""
    told = await media.describe(
        filmed(("Hello", "Hello", "Goodbye"), sound=True, size=(480, 240)), ocr=True
    )
    assert (told.facts["width"], told.facts["height"], told.facts["codec"]) == (480, 240, "h264")
    assert told.facts["duration_seconds"] == pytest.approx(15, abs=0.6)
    said = [(chunk.text, chunk.anchor.time.ToSeconds()) for chunk in told.description.chunks]
    assert [text for text, _ in said] == ["On screen: Hello", "On screen: Goodbye"]
    assert said[0][1] < 5
    assert said[1][1] >= 10
    assert told.progress == sorted(told.progress)


async def test_a_video_that_breaks_off_is_read_as_far_as_it_goes(media: Media) -> None:
    whole = filmed(("Begin", "End"), kind="matroska", size=(480, 240))
    told = await media.describe(whole[: len(whole) * 2 // 3], ocr=True)
    assert "Begin" in told.text


@pytest.mark.parametrize(
    "data",
    [
        filmed(("Gone",))[:900],
        b"RIFF\x24\x00\x00\x00WAVEfmt \x10\x00\x00\x00" + bytes(60),
        filmed(("Gone",), kind="matroska")[:300],
    ],
    ids=["mp4-without-its-index", "wav-of-nothing", "mkv-of-a-head"],
)
async def test_a_recording_that_cannot_be_read_is_a_validation_error(
    media: Media, data: bytes
) -> None:
    reason, message = await refusal(media, data, ocr=True)
    assert reason == Reason.REASON_FILE_BROKEN
    assert "recording" in message


async def test_speech_without_a_reader_is_a_warning_with_the_way_out(media: Media) -> None:
    readers = await media.readers()
    if readers["speech"].available:
        pytest.skip("the extra is installed")
    told = await media.describe(recorded(), speech=True)
    assert "make run EXTRAS=speech" in told.warnings
    assert "make run EXTRAS=speech" in readers["speech"].unavailable_because


async def test_a_picture_that_says_it_is_a_video_is_a_picture(media: Media) -> None:
    """AVIF is kept in the container of MP4."""
    told = await media.describe(saved(drawn("Still"), "AVIF"))
    assert told.facts["format"] == "AVIF"
