"""What jobs are asked for, and what they say of a file. Pure."""

from collections.abc import Mapping
from typing import TypeAlias

import msgspec

Value: TypeAlias = "str | int | float | bool | list[float] | Mapping[str, str | float]"


class ImageWish(msgspec.Struct, frozen=True):
    """What is wanted of an image. `most_pixels` is looked at before any is decoded; `seconds` is
    the time after which no further page is begun."""

    ocr: bool
    location: bool
    most_pixels: int
    most_pages: int
    seconds: float


class SightWish(msgspec.Struct, frozen=True):
    """How an image is wanted as models see it: its longest side in pixels, its size in bytes."""

    longest_side: int
    most_bytes: int
    most_pixels: int


class RecordingWish(msgspec.Struct, frozen=True):
    """What is wanted of a recording. `speech` is `none`, `local` (text), or `remote` (its sound in
    parts); `whisper_folder` is empty for the model that is installed."""

    ocr: bool
    location: bool
    speech: str
    language: str
    whisper_folder: str
    part_seconds: float
    most_minutes: float
    most_frames: int
    most_pixels: int
    seconds: float


class Facts(msgspec.Struct, frozen=True, tag=True):
    """What is known of a file, by the names of the contract."""

    values: dict[str, Value]


class Passage(msgspec.Struct, frozen=True, tag=True):
    """Text with its place: a page from 1 on, or seconds from the beginning."""

    text: str
    page: int = 0
    seconds: float = 0.0


class LeftOut(msgspec.Struct, frozen=True, tag=True):
    """What was left out or could not be read, in one sentence."""

    sentence: str


class Progress(msgspec.Struct, frozen=True, tag=True):
    """The part that is done, 0 to 1."""

    done: float


class Sound(msgspec.Struct, frozen=True, tag=True):
    """A part of the sound track as MP3, and where it begins and ends."""

    begins: float
    ends: float
    data: bytes


class Sight(msgspec.Struct, frozen=True, tag=True):
    """An image as models see it."""

    data: bytes
    content_type: str
    width: int
    height: int


Wish: TypeAlias = ImageWish | SightWish | RecordingWish
Said: TypeAlias = Facts | Passage | LeftOut | Progress | Sound | Sight
_DECODER: msgspec.msgpack.Decoder[Said] = msgspec.msgpack.Decoder(Said)


def encoded(said: Said | Wish) -> bytes:
    """As it goes from one process to the other."""
    return msgspec.msgpack.encode(said)


def heard(piece: bytes) -> Said:
    """What a job said; msgspec.DecodeError if it is nothing of this."""
    return _DECODER.decode(piece)
