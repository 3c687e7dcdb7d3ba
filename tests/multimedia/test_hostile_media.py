"""Mutated and truncated media: whatever they do, they do it to a job of their own."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import aclosing

import msgspec
import pytest
import pytest_asyncio

from servers.multimedia.configuration import Media as MediaLimits
from servers.multimedia.jobs import Jobs
from servers.multimedia.said import (
    Facts,
    ImageWish,
    LeftOut,
    Passage,
    RecordingWish,
    Said,
    Sight,
    SightWish,
    Wish,
)
from servers.runtime.limited import BytesSource, JobFailed, Why
from tests.multimedia.samples import bomb, drawn, filmed, photographed, recorded, saved

IMAGE = ImageWish(ocr=False, location=True, most_pixels=4_000_000, most_pages=3, seconds=5)
SIGHT = SightWish(longest_side=64, most_bytes=1_500_000, most_pixels=4_000_000)
RECORDING = RecordingWish(
    ocr=False,
    location=True,
    speech="remote",
    language="",
    whisper_folder="",
    part_seconds=5,
    most_minutes=1,
    most_frames=2,
    most_pixels=4_000_000,
    seconds=5,
)
SMALL = {"size": (48, 32), "height": 12}
PICTURES: dict[str, Callable[[], bytes]] = {
    "png": lambda: saved(drawn("Hi", **SMALL)),
    "jpeg": lambda: photographed(drawn("Hi", **SMALL), orientation=6),
    "webp": lambda: saved(drawn("Hi", **SMALL), "WEBP"),
    "gif": lambda: saved(drawn("Hi", **SMALL), "GIF"),
    "tiff": lambda: saved(drawn("Hi", **SMALL), "TIFF", compression="tiff_lzw"),
    "avif": lambda: saved(drawn("Hi", **SMALL), "AVIF"),
    "bmp": lambda: saved(drawn("Hi", **SMALL), "BMP"),
}
RECORDINGS: dict[str, Callable[[], bytes]] = {
    "wav": lambda: recorded(0.2),
    "mp3": lambda: recorded(0.2, "mp3", "libmp3lame", 44_100),
    "ogg": lambda: recorded(0.2, "ogg", "libopus", 48_000),
    "flac": lambda: recorded(0.2, "flac", "flac"),
    "mp4": lambda: filmed(("Hi",), 1, (64, 48), sound=True),
    "mkv": lambda: filmed(("Hi",), 1, (64, 48), kind="matroska"),
    "avi": lambda: filmed(("Hi",), 1, (64, 48), kind="avi", codec="mpeg4"),
}
EACH = 75


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def jobs() -> AsyncIterator[Jobs]:
    """Jobs with little memory, none of it for text in pictures."""
    async with Jobs(MediaLimits(ocr=False, jobs=3, memory_megabytes=300)).opened() as opened:
        yield opened


def mutated(whole: bytes, seed: int) -> bytes:
    """A file with a piece of it changed, doubled, taken out or cut off."""
    chance, data = random.Random(seed), bytearray(whole)
    for _ in range(chance.choice((1, 1, 2, 8))):
        at = chance.randrange(len(data))
        length = min(chance.choice((1, 2, 4, 64)), len(data) - at)
        match chance.randrange(5):
            case 0:
                data[at : at + length] = chance.randbytes(length)
            case 1:
                data[at : at + length] = bytes([chance.choice((0, 0x7F, 0x80, 0xFF))]) * length
            case 2:
                data[at:at] = data[at : at + length]
            case 3:
                del data[at : at + length]
            case _:
                data[at] ^= 1 << chance.randrange(8)
        data = data or bytearray(b"\0")
    return bytes(data[: chance.randrange(1, len(data) + 1)]) if seed % 3 == 0 else bytes(data)


def started(jobs: Jobs, source: BytesSource, wish: Wish) -> AsyncGenerator[Said, None]:
    """The job that fulfils a wish."""
    if isinstance(wish, RecordingWish):
        return jobs.of_recording(source, wish, 5)
    if isinstance(wish, SightWish):
        return jobs.sight(source, wish, 5)
    return jobs.of_image(source, wish, 5)


async def outcome(jobs: Jobs, data: bytes, wish: Wish) -> str:
    """What became of a job; every other exception is a failure of the server."""
    source = BytesSource(data)
    run = started(jobs, source, wish)
    try:
        async with aclosing(run) as said:
            async for each in said:
                if isinstance(each, Facts):
                    assert "52.5" not in str(each.values.get("exif"))
    except JobFailed as failed:
        return failed.why.value
    return "read"


def samples(makers: dict[str, Callable[[], bytes]]) -> Iterator[tuple[int, bytes]]:
    """Every kind, each so many times."""
    wholes = [make() for make in makers.values()]
    for seed in range(EACH * len(wholes)):
        yield seed, mutated(wholes[seed % len(wholes)], seed)


async def through(jobs: Jobs, makers: dict[str, Callable[[], bytes]]) -> Counter[str]:
    """What became of all of them."""
    found = [
        outcome(jobs, data, RECORDING if makers is RECORDINGS else (IMAGE, SIGHT)[seed % 2])
        for seed, data in samples(makers)
    ]
    return Counter(await asyncio.gather(*found))


@pytest.mark.parametrize("makers", [PICTURES, RECORDINGS], ids=["pictures", "recordings"])
async def test_hostile_media_do_the_server_no_harm(
    jobs: Jobs, makers: dict[str, Callable[[], bytes]]
) -> None:
    """Each is read, or its job fails; the room stays open, and reads the whole ones as before."""
    found = await through(jobs, makers)
    assert found.total() == EACH * len(makers)
    assert found["read"]
    assert found[Why.UNREADABLE] > 10
    assert not found[Why.ROOM]
    wish = RECORDING if makers is RECORDINGS else IMAGE
    assert {await outcome(jobs, make(), wish) for make in makers.values()} == {"read"}


async def test_a_playlist_opens_nothing_else(jobs: Jobs) -> None:
    """FFmpeg would read what it names."""
    for text in ("#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", "ffconcat version 1.0\nfile a.wav\n"):
        assert await outcome(jobs, text.encode(), RECORDING) == Why.UNREADABLE


async def test_a_picture_larger_than_the_memory_ends_its_job_alone(jobs: Jobs) -> None:
    wish = msgspec.structs.replace(IMAGE, most_pixels=1_000_000_000)
    assert await outcome(jobs, bomb(20_000, 20_000), wish) == Why.MEMORY
    assert await outcome(jobs, PICTURES["png"](), IMAGE) == "read"


async def test_the_place_is_kept_to_itself_in_every_mutation(jobs: Jobs) -> None:
    wish = msgspec.structs.replace(IMAGE, location=False)
    async with aclosing(jobs.of_image(BytesSource(PICTURES["jpeg"]()), wish, 5)) as said:
        told = [each async for each in said]
    assert "location" not in str(told)
    assert not [each for each in told if isinstance(each, Passage | Sight | LeftOut)]
