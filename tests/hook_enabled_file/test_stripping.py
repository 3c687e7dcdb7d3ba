"""Pictures without what tells of their makers: they show what they showed."""

import io
import json

import pytest
from PIL import Image, ImageCms

from servers.hook_enabled_file.rooms import READING, limits
from servers.runtime.limited import BytesSource, JobFailed, Room

PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
SECRET = b"Secret Camera"


async def strip(room: Room, data: bytes, content_type: str) -> tuple[dict[str, str], Image.Image]:
    """What the reader says, and the picture that it gives."""
    job, bounds = f"{READING}.stripping:strip", limits(60, len(data), memory_megabytes=1500)
    pieces = [
        piece async for piece in room.run(job, BytesSource(data), content_type.encode(), bounds)
    ]
    bare = b"".join(pieces[1:])
    assert SECRET not in bare
    return json.loads(pieces[0]), Image.open(io.BytesIO(bare))


def saved(image: Image.Image, format_: str, **more: object) -> bytes:
    """A picture whose metadata tell of its maker."""
    out, told = io.BytesIO(), Image.Exif()
    told[0x010F] = SECRET.decode()
    image.save(out, format=format_, exif=told, **more)
    assert SECRET in out.getvalue()
    return out.getvalue()


async def test_a_photo_with_others_behind_it_is_kept(room: Room) -> None:
    """As phones and cameras make them."""
    preview = Image.new("RGB", (4, 3), "red")
    photo = Image.new("RGB", (40, 30), "navy")
    data = saved(photo, "MPO", save_all=True, append_images=[preview])
    told, bare = await strip(room, data, "image/jpeg")
    assert "with the pictures behind the first" in told["done"]
    assert (bare.format, bare.size, getattr(bare, "n_frames", 1)) == ("JPEG", (40, 30), 1)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB"])
async def test_all_pages_are_kept(room: Room, mode: str) -> None:
    """And how they are packed, where nothing is lost by it."""
    packing = {"1": "group4", "L": "raw", "P": "tiff_lzw", "RGB": "jpeg"}[mode]
    pages = [Image.linear_gradient("L").rotate(90 * n).convert(mode) for n in range(3)]
    data = saved(pages[0], "TIFF", save_all=True, append_images=pages[1:], compression=packing)
    _, bare = await strip(room, data, "image/tiff")
    before = Image.open(io.BytesIO(data))
    assert getattr(bare, "n_frames", 1) == 3
    for number in range(3):
        bare.seek(number)
        before.seek(number)
        assert bare.convert("RGB").tobytes() == before.convert("RGB").tobytes()
    assert bare.info["compression"] == (
        packing if packing in ("group4", "tiff_lzw") else "tiff_adobe_deflate"
    )


@pytest.mark.parametrize("see_through", [0, bytes([0, 128, 255])])
async def test_what_is_transparent_stays_so(room: Room, see_through: int | bytes) -> None:
    """In pictures with a palette."""
    image = Image.new("P", (3, 1))
    image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    image.putdata([0, 1, 2])
    data = saved(image, "PNG", transparency=see_through)
    _, bare = await strip(room, data, "image/png")
    assert bare.mode == "P"
    assert bare.convert("RGBA").tobytes() == Image.open(io.BytesIO(data)).convert("RGBA").tobytes()


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP", "TIFF"])
async def test_colours_stay_what_they_are(room: Room, format_: str) -> None:
    """Their profile says which they are; the way up is that of the metadata."""
    data = saved(Image.new("RGB", (8, 4), "navy"), format_, icc_profile=PROFILE)
    _, bare = await strip(room, data, f"image/{format_.lower()}")
    assert bare.info["icc_profile"] == PROFILE


async def test_what_moves_is_refused(room: Room) -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    data = saved(frames[0], "PNG", save_all=True, append_images=frames[1:])
    with pytest.raises(JobFailed, match="pictures that move"):
        await strip(room, data, "image/png")


async def test_a_raw_photo_is_not_made_its_preview(room: Room) -> None:
    """DNG is TIFF as well."""
    out, told = io.BytesIO(), Image.Exif()
    told[0xC612] = b"\1\4\0\0"
    Image.new("RGB", (4, 4)).save(out, format="TIFF", exif=told)
    with pytest.raises(JobFailed, match="raw photos"):
        await strip(room, out.getvalue(), "image/tiff")
