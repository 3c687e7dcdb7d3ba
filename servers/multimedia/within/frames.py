"""The pictures of a video: a few of them, and what is written on them."""

import time
from collections.abc import Iterator

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from PIL import Image

from servers.multimedia.key_frames import moments
from servers.multimedia.passages import gathered
from servers.multimedia.said import Facts, LeftOut, Passage, RecordingWish, encoded
from servers.multimedia.within import ocr
from servers.multimedia.within.container import duration_of
from servers.runtime.weights import WeightsWrong

MOST_DECODED = 300
"""Frames that are decoded on the way to a moment: ten seconds of most videos."""
LONGEST_SIDE = 1600


def texts(
    container: InputContainer, video: VideoStream, wish: RecordingWish, until: float
) -> Iterator[bytes]:
    """What is written on frames that look different, with their times."""
    seen: set[str] = set()
    said: set[str] = set()
    times: list[float] = []
    for moment in moments(duration_of(container), wish.most_frames):
        if time.monotonic() > until:
            yield encoded(LeftOut(f"pictures after {moment:.0f} s were left out: time is over"))
            break
        try:
            found = _frame_at(container, video, moment)
        except (av.FFmpegError, ValueError, OverflowError):
            yield encoded(LeftOut(f"the picture at {moment:.0f} s is broken"))
            continue
        if found is None:
            continue
        seconds, picture = found
        if (look := ocr.looks(picture)) in seen:
            continue
        seen.add(look)
        times.append(round(seconds, 3))
        if wish.ocr:
            yield from _read(picture, seconds, said)
    if times:
        yield encoded(Facts({"key_frames": times}))


def _frame_at(
    container: InputContainer, video: VideoStream, moment: float
) -> tuple[float, Image.Image] | None:
    """The frame that is shown at a moment, or the nearest before that is not too far to decode."""
    if moment and video.time_base:
        container.seek(int(moment / video.time_base), stream=video, backward=True)
    last: VideoFrame | None = None
    for number, frame in enumerate(container.decode(video)):
        if last is not None and (frame.time or 0.0) > moment:
            break
        last = frame
        if number >= MOST_DECODED:
            break
    return None if last is None else (last.time or 0.0, _picture(last))


def _picture(frame: VideoFrame) -> Image.Image:
    scale = min(1.0, LONGEST_SIDE / max(frame.width, frame.height))
    width, height = (max(1, round(side * scale)) for side in (frame.width, frame.height))
    seen = frame.reformat(width=width, height=height, format="rgb24").to_ndarray()
    picture = Image.fromarray(np.asarray(seen, np.uint8))
    return picture.rotate(frame.rotation, expand=True) if frame.rotation else picture


def _read(picture: Image.Image, seconds: float, said: set[str]) -> Iterator[bytes]:
    """What is written on a picture, unless it was there before."""
    try:
        for text in gathered(ocr.paragraphs_in(picture)):
            if text not in said:
                said.add(text)
                yield encoded(Passage(f"On screen: {text}", seconds=seconds))
    except WeightsWrong:
        yield encoded(LeftOut(ocr.NOT_INSTALLED))
