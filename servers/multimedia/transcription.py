"""What a speech service answers. Pure."""

from collections.abc import Iterator

import msgspec

MOST_BYTES = 4_000_000
"""Of one answer: an hour of speech is some 60 kB, with its times ten times that."""


class Segment(msgspec.Struct, frozen=True):
    """Some words, and seconds from the beginning of what was sent."""

    start: float = 0.0
    end: float = 0.0
    text: str = ""


class Transcription(msgspec.Struct, frozen=True):
    """`text` is in `json`, the rest in `verbose_json` only."""

    text: str = ""
    language: str | None = None
    segments: list[Segment] | None = None


def segments_of(
    answer: Transcription, begins: float, ends: float
) -> Iterator[tuple[float, float, str]]:
    """The words with seconds of the whole recording, within what was sent."""
    if not answer.segments:
        yield begins, ends, answer.text
        return
    for segment in answer.segments:
        start = min(max(begins + segment.start, begins), ends)
        yield start, min(max(begins + segment.end, start), ends), segment.text
