"""The sound of a recording: 16,000 numbers a second, in parts that end where it is quiet."""

from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer
from numpy.typing import NDArray

from servers.multimedia.within.container import BROKEN

RATE = 16_000
"""Numbers a second that Whisper takes."""
QUIET_SECONDS = 10.0
"""How far before its end a part may be cut at its quietest place."""
Samples = NDArray[np.int16]


@dataclass(frozen=True)
class Part:
    """A part of the sound, and where it begins in seconds."""

    begins: float
    samples: Samples

    @property
    def ends(self) -> float:
        """Seconds from the beginning of the recording."""
        return self.begins + len(self.samples) / RATE


class SoundCut(Exception):
    """The sound breaks off here. The message is for people."""


def parts(
    container: InputContainer, sound: AudioStream, *, part_seconds: float, most_seconds: float
) -> Iterator[Part]:
    """Its parts in order. SoundCut where it breaks, or where no more is read."""
    held = _Held(int(part_seconds * RATE))
    try:
        for samples in _samples(container, sound):
            yield from held.add(samples)
            if held.ends > most_seconds:
                raise SoundCut(f"what comes after {most_seconds / 60:.0f} minutes was left out")
    except (av.FFmpegError, ValueError, OverflowError) as error:
        at = held.ends
        yield from held.rest()
        raise SoundCut(f"the sound breaks off after {at:.0f} s" if at else BROKEN) from error
    yield from held.rest()


class _Held:
    """What was decoded and is not yet a part of so many samples."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._begins = 0
        self._pieces: list[Samples] = []
        self._length = 0

    @property
    def ends(self) -> float:
        """Seconds that were decoded."""
        return (self._begins + self._length) / RATE

    def add(self, samples: Samples) -> Iterator[Part]:
        """Takes samples; a part whenever there are enough of them."""
        self._pieces.append(samples)
        self._length += len(samples)
        while self._length >= self._size:
            whole = np.concatenate(self._pieces)
            cut = _quietest(whole[: self._size])
            yield Part(self._begins / RATE, whole[:cut])
            self._begins += cut
            self._pieces, self._length = [whole[cut:]], len(whole) - cut

    def rest(self) -> Iterator[Part]:
        """What is left."""
        if self._length:
            yield Part(self._begins / RATE, np.concatenate(self._pieces))
        self._begins += self._length
        self._pieces, self._length = [], 0


def as_mp3(part: Part) -> bytes:
    """A part as a file: 32 kbit a second, 240 kB a minute."""
    out = BytesIO()
    with av.open(out, "w", format="mp3") as container:
        stream = container.add_stream("libmp3lame", rate=RATE, layout="mono", bit_rate=32_000)
        frame = AudioFrame.from_ndarray(part.samples.reshape(1, -1), format="s16p", layout="mono")
        frame.sample_rate = RATE
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return out.getvalue()


def _samples(container: InputContainer, sound: AudioStream) -> Iterator[Samples]:
    resampler = AudioResampler(format="s16", layout="mono", rate=RATE)
    container.seek(0)
    for frame in container.decode(sound):
        # Broken times would have the resampler fill gaps of hours.
        frame.pts = None
        for piece in resampler.resample(frame):
            yield _numbers(piece)
    for piece in resampler.resample(None):
        yield _numbers(piece)


def _numbers(frame: AudioFrame) -> Samples:
    return frame.to_ndarray().reshape(-1).astype(np.int16, copy=False)


def _quietest(samples: Samples) -> int:
    """Where a part is best cut: at the quietest 20th of a second near its end."""
    window = RATE // 20
    last = len(samples) - int(min(QUIET_SECONDS * RATE, len(samples) // 2))
    tail = samples[last:].astype(np.float32)
    count = len(tail) // window
    if not count:
        return len(samples)
    loudness = np.abs(tail[: count * window]).reshape(count, window).mean(axis=1)
    return last + int(loudness.argmin()) * window + window // 2
