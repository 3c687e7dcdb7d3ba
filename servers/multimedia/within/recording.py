"""Jobs on recordings: what a video shows, and what is said."""

import time
from collections.abc import Iterable, Iterator

import av
import msgspec
from av.audio.stream import AudioStream
from av.container import InputContainer

from servers.multimedia.passages import spoken
from servers.multimedia.said import (
    Facts,
    LeftOut,
    Passage,
    Progress,
    RecordingWish,
    Sound,
    encoded,
)
from servers.multimedia.within import frames
from servers.multimedia.within.container import (
    duration_of,
    facts_of,
    opened,
    sound_of,
    video_of,
)
from servers.multimedia.within.sound import Part, SoundCut, as_mp3, parts
from servers.multimedia.within.whisper import Whisper
from servers.runtime.limited.job import JobFile

LOOKING = 0.3
"""Share of the time, and of the progress, that the pictures of a video have."""


def describe(file: JobFile, request: bytes) -> Iterator[bytes]:
    """Facts, what is written on its pictures, and what is said."""
    wish = msgspec.msgpack.decode(request, type=RecordingWish)
    began = time.monotonic()
    with opened(file, wish.most_pixels) as container:
        yield encoded(Facts(facts_of(container, location=wish.location)))
        video, sound = video_of(container), sound_of(container)
        if video is not None:
            share = LOOKING if sound is not None else 1.0
            # Threads would only be in the way of others.
            video.codec_context.thread_count = 1
            yield from frames.texts(container, video, wish, began + wish.seconds * share)
            yield encoded(Progress(share))
        if sound is not None:
            yield from _heard(container, sound, wish, began + wish.seconds)


def _heard(
    container: InputContainer, sound: AudioStream, wish: RecordingWish, until: float
) -> Iterator[bytes]:
    """What is said, or the sound in parts for somebody who hears it. Without either a moment of it
    is decoded all the same: what is broken is told."""
    found = parts(
        container, sound, part_seconds=wish.part_seconds, most_seconds=wish.most_minutes * 60
    )
    try:
        if wish.speech == "local":
            yield from _transcribed(found, wish, duration_of(container), until)
        elif wish.speech == "remote":
            for part in _in_time(found, until):
                yield encoded(Sound(part.begins, part.ends, as_mp3(part)))
        else:
            next(container.decode(sound), None)
    except SoundCut as cut:
        yield encoded(LeftOut(str(cut)))
    except av.FFmpegError:
        yield encoded(LeftOut("the sound is broken"))


def _transcribed(
    found: Iterable[Part], wish: RecordingWish, duration: float, until: float
) -> Iterator[bytes]:
    whisper = Whisper(wish.whisper_folder, wish.language)
    for part in _in_time(found, until):
        for begins, ends, text in spoken(whisper.segments(part)):
            yield encoded(Passage(text, seconds=begins))
            yield encoded(Progress(min(1.0, ends / duration if duration else 0.5)))
            if time.monotonic() > until:
                yield encoded(LeftOut(f"speech after {ends:.0f} s was left out: time is over"))
                return
    if whisper.language:
        yield encoded(Facts({"language": whisper.language}))


def _in_time(found: Iterable[Part], until: float) -> Iterator[Part]:
    for part in found:
        if time.monotonic() > until:
            raise SoundCut(f"speech after {part.begins:.0f} s was left out: time is over")
        yield part
