"""Who hears what is said in a recording: this machine, a service, or nobody."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

from servers.multimedia.configuration import Speech
from servers.multimedia.passages import spoken
from servers.multimedia.said import Facts, LeftOut, Passage, Sound
from servers.multimedia.speech_service import SpeechService
from servers.multimedia.transcription import Transcription, segments_of
from servers.multimedia.weights import require_faster_whisper, require_whisper
from servers.runtime.call import Principal
from servers.runtime.weights import WeightsWrong

WAY_OUT = (
    "`make run EXTRAS=speech` installs it, or `[speech] base_url` of files.toml names a service"
)


class Hearing:
    """The service where there is one and the user may, else the model on this machine."""

    def __init__(self, speech: Speech, service: SpeechService, folder: Path | None) -> None:
        self.speech = speech
        self.folder = folder
        self._service = service

    def by(self, who: Principal) -> str:
        """`remote`, `local`, or `none`."""
        if self.speech.base_url and not who.missing(frozenset({self.speech.role})):
            return "remote"
        return "none" if self._local_problem() else "local"

    def unavailable_because(self, who: Principal) -> str:
        """Why this user's recordings are not heard, and the way out; empty if they are."""
        if self.by(who) != "none":
            return ""
        if self.speech.base_url:
            return f"the speech service takes the role {self.speech.role}"
        return f"{self._local_problem()}: {WAY_OUT}"

    async def heard(self, sound: Sound, seconds: float | None) -> list[Passage | Facts | LeftOut]:
        """What a part says, as the service hears it within so many seconds."""
        left_out = f"speech from {sound.begins:.0f} s to {sound.ends:.0f} s is left out"
        try:
            async with asyncio.timeout(seconds):
                answer = await self._service.transcribe(sound)
        except TimeoutError:
            return [LeftOut(f"time was over before the speech service had answered: {left_out}")]
        if answer is None:
            return [LeftOut(f"the speech service did not answer: {left_out}")]
        return list(_said(answer, sound))

    async def close(self) -> None:
        """Closes the connections of the service."""
        await self._service.close()

    def _local_problem(self) -> str:
        try:
            require_faster_whisper()
            require_whisper(self.folder)
        except WeightsWrong:
            return "no model of speech is installed"
        except OSError:
            return "KARI_WHISPER_MODEL names no folder with a model.bin"
        return ""


def _said(answer: Transcription, sound: Sound) -> Iterator[Passage | Facts]:
    for begins, _, text in spoken(segments_of(answer, sound.begins, sound.ends)):
        yield Passage(text, seconds=begins)
    if answer.language:
        yield Facts({"language": answer.language[:40]})
