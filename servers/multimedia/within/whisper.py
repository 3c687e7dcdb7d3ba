"""Speech to text by Whisper on this machine, where it is installed."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from servers.multimedia.weights import WHISPER_FILES, WHISPER_PARTS
from servers.multimedia.within.sound import Part
from servers.runtime.weights import checked

NO_SPEECH, UNSURE = 0.6, -1.0
"""A segment that is likely no speech and of which the model is unsure is noise; both numbers are
Whisper's own."""


class Whisper:
    """The model, loaded: a second, 300 MB."""

    def __init__(self, folder: str, language: str) -> None:
        import onnxruntime  # type: ignore[import-untyped]  # it has no types
        from faster_whisper import WhisperModel  # an extra; jobs without speech do without it

        onnxruntime.disable_telemetry_events()
        self._language = language or None
        files = None if folder else _installed()
        self._model = WhisperModel(
            folder or "whisper-base",
            device="cpu",
            compute_type="int8",
            cpu_threads=1,
            local_files_only=True,
            **({"files": files} if files else {}),
        )
        self.language = language

    def segments(self, part: Part) -> Iterator[tuple[float, float, str]]:
        """What is said: beginning and end in seconds of the recording, and the words."""
        found, info = self._model.transcribe(
            part.samples.astype(np.float32) / 32768,
            language=self._language,
            beam_size=1,
            vad_filter=True,
            condition_on_previous_text=False,
        )
        self.language = info.language
        for segment in found:
            if segment.no_speech_prob > NO_SPEECH and segment.avg_logprob < UNSURE:
                continue
            yield part.begins + segment.start, part.begins + segment.end, segment.text


def _installed() -> dict[str, Any]:
    files = {name: checked(weights).read_bytes() for name, weights in WHISPER_FILES.items()}
    files["model.bin"] = b"".join(checked(part).read_bytes() for part in WHISPER_PARTS)
    return files
