"""Pictures, sounds and videos, drawn and played here."""

import io
import struct
import zlib
from collections.abc import Iterator, Sequence

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.video.frame import VideoFrame
from PIL import Image, ImageDraw, ImageFont
from PIL.ExifTags import GPS, IFD, Base

RATE = 16_000
PNG = b"\x89PNG\r\n\x1a\n"


def drawn(*lines: str, size: tuple[int, int] = (900, 300), height: int = 48) -> Image.Image:
    """A white picture with lines of text."""
    picture = Image.new("RGB", size, "white")
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(height)
    for number, line in enumerate(lines):
        draw.text((40, 40 + number * height * 1.5), line, fill="black", font=font)
    return picture


def saved(picture: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    """A picture as a file."""
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def photographed(picture: Image.Image, orientation: int = 1) -> bytes:
    """A JPEG as a camera writes it, with a place; turned so that `orientation` puts it right."""
    turn = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90}.get(orientation)
    exif = Image.Exif()
    exif[Base.Make], exif[Base.Model], exif[Base.Orientation] = "Pin", "Hole 3\n", orientation
    exif.get_ifd(IFD.Exif)[Base.DateTimeOriginal] = "2026:11:28 10:20:30"
    exif.get_ifd(IFD.GPSInfo).update(
        {
            GPS.GPSLatitudeRef: "N",
            GPS.GPSLatitude: (52.0, 31.0, 12.0),
            GPS.GPSLongitudeRef: "W",
            GPS.GPSLongitude: (13.0, 24.0, 0.0),
        }
    )
    return saved(picture.transpose(turn) if turn else picture, "JPEG", exif=exif, quality=92)


def bomb(width: int, height: int) -> bytes:
    """A PNG that says so much of itself and has next to nothing."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(bytes(1_000_000), 9)
    return PNG + _chunk(b"IHDR", head) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def flat(width: int, height: int, channels: int = 3) -> bytes:
    """A PNG of one colour, however large."""
    packer, kind = zlib.compressobj(1), {3: 2, 4: 6}[channels]
    row = bytes(1) + b"\x80" * (width * channels)
    data = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    head = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0))
    return PNG + head + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def tone(seconds: float, rate: int = RATE) -> np.ndarray:
    """A tone that rises and falls."""
    at = np.arange(int(seconds * rate)) / rate
    return (np.sin(at * 2800) * np.sin(at * 9) * 9000).astype(np.int16)


def recorded(
    seconds: float = 1.0, kind: str = "wav", codec: str = "pcm_s16le", rate: int = RATE
) -> bytes:
    """A recording."""
    out = io.BytesIO()
    with av.open(out, "w", format=kind) as container:
        stream = container.add_stream(codec, rate=rate, layout="mono")
        container.metadata["title"] = "A tone"
        _play(container, stream, tone(seconds, rate), rate)
    return out.getvalue()


def filmed(
    texts: Sequence[str] = ("Frame",),
    seconds_each: float = 5.0,
    size: tuple[int, int] = (320, 240),
    *,
    sound: bool = False,
    kind: str = "mp4",
    codec: str = "libx264",
) -> bytes:
    """A video that shows one text after the other, two frames a second."""
    out = io.BytesIO()
    with av.open(out, "w", format=kind) as container:
        video = container.add_stream(codec, rate=2)
        video.width, video.height, video.pix_fmt = *size, "yuv420p"
        audio = container.add_stream("aac", rate=RATE, layout="mono") if sound else None
        for picture in _frames(texts, seconds_each, size):
            container.mux(video.encode(VideoFrame.from_image(picture)))
        container.mux(video.encode(None))
        if audio is not None:
            _play(container, audio, tone(len(texts) * seconds_each), RATE)
    return out.getvalue()


def _frames(
    texts: Sequence[str], seconds_each: float, size: tuple[int, int]
) -> Iterator[Image.Image]:
    for text in texts:
        picture = drawn(text, size=size, height=size[1] // 6)
        for _ in range(max(1, int(seconds_each * 2))):
            yield picture


def _play(
    container: av.container.OutputContainer, stream: av.AudioStream, samples: np.ndarray, rate: int
) -> None:
    frame = AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
    frame.sample_rate = rate
    resampler = av.AudioResampler(format=stream.format, layout="mono", rate=rate)
    for piece in (*resampler.resample(frame), *resampler.resample(None)):
        container.mux(stream.encode(piece))
    container.mux(stream.encode(None))
