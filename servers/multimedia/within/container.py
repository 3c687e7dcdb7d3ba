"""Opening recordings: kinds, streams, facts."""

import re
from collections.abc import Iterator

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from servers.multimedia.said import Value
from servers.multimedia.within.exif import clean
from servers.runtime.limited.failures import Unreadable
from servers.runtime.limited.job import JobFile

# FFmpeg reads playlists and lists of files too, which name other files and addresses: none of them.
FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,mp3,wav,w64,ogg,flac,aac,avi,mpegts,mpeg,mpegvideo,asf,"
    "aiff,amr,flv,caf,au,ac3,eac3,wv,ape"
)
BROKEN = "the recording is broken, or of a kind that is not read"
TAGS = ("title", "artist", "album")
# As Apple and Android write it: `+52.5200+013.4050+034/`.
PLACE = re.compile(r"([+-]\d+(?:\.\d+)?)([+-]\d+(?:\.\d+)?)")
PLACES = ("com.apple.quicktime.location.iso6709", "location", "location-eng")

av.logging.set_level(av.logging.PANIC)


def opened(file: JobFile, most_pixels: int) -> InputContainer:
    """A recording of which the beginning was read. Unreadable if it is none."""
    options = {
        "format_whitelist": FORMATS,
        "protocol_whitelist": "",
        "max_streams": "64",
        "max_pixels": str(most_pixels),
    }
    try:
        container = av.open(file, "r", options=options, metadata_errors="replace")
    except (av.FFmpegError, ValueError, OverflowError) as error:
        raise Unreadable(BROKEN) from error
    if video_of(container) is None and sound_of(container) is None:
        raise Unreadable("the recording has neither pictures nor sound")
    return container


def video_of(container: InputContainer) -> VideoStream | None:
    """Its pictures; the cover of an album is none."""
    streams = container.streams.video
    return next((s for s in streams if not s.disposition & Disposition.attached_pic), None)


def sound_of(container: InputContainer) -> AudioStream | None:
    """Its sound."""
    return next(iter(container.streams.audio), None)


def duration_of(container: InputContainer) -> float:
    """Seconds, as it says; 0 if it does not."""
    if container.duration:
        return max(0.0, container.duration / av.time_base)
    for stream in (video_of(container), sound_of(container)):
        if stream is not None and stream.duration and stream.time_base:
            return max(0.0, float(stream.duration * stream.time_base))
    return 0.0


def facts_of(container: InputContainer, *, location: bool) -> dict[str, Value]:
    """What it says of itself, by the names of the contract."""
    facts: dict[str, Value] = {"format": container.format.name}
    if duration := duration_of(container):
        facts["duration_seconds"] = round(duration, 3)
    facts.update(_of_video(video_of(container)))
    facts.update(_of_sound(sound_of(container), alone=video_of(container) is None))
    facts.update(_of_tags(container, location=location))
    return facts


def _of_video(video: VideoStream | None) -> Iterator[tuple[str, Value]]:
    if video is None:
        return
    context = video.codec_context
    yield "width", context.width
    yield "height", context.height
    yield "codec", context.name
    if video.average_rate:
        yield "frames_per_second", round(float(video.average_rate), 3)


def _of_sound(sound: AudioStream | None, *, alone: bool) -> Iterator[tuple[str, Value]]:
    if sound is None:
        return
    yield ("codec" if alone else "sound_codec"), sound.codec_context.name
    yield "sample_rate", sound.codec_context.sample_rate
    yield "channels", sound.codec_context.channels


def _of_tags(container: InputContainer, *, location: bool) -> Iterator[tuple[str, Value]]:
    tags = {name.lower(): clean(text) for name, text in container.metadata.items()}
    for name in TAGS:
        if tags.get(name):
            yield name, tags[name]
    if tags.get("creation_time"):
        yield "taken_at", tags["creation_time"]
    if location:
        for name in PLACES:
            if found := PLACE.match(tags.get(name, "")):
                yield "location", {"latitude": float(found[1]), "longitude": float(found[2])}
                return
