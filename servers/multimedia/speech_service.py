"""Speech to text by a service that speaks OpenAI's `/audio/transcriptions`."""

import asyncio

import aiohttp
import msgspec
import structlog

from servers.multimedia.configuration import Speech
from servers.multimedia.metrics import EXTERNAL, timed
from servers.multimedia.said import Sound
from servers.multimedia.transcription import MOST_BYTES, Transcription
from servers.runtime.labelled import labelled

log = structlog.get_logger("kari.multimedia")


class SpeechService:
    """One base URL and its key."""

    def __init__(self, speech: Speech, key: str | None) -> None:
        self._speech = speech
        self._headers = {"authorization": f"Bearer {key}"} if key else {}
        self._session: aiohttp.ClientSession | None = None

    async def transcribe(self, sound: Sound) -> Transcription | None:
        """What is said in a part of a recording; None if the service does not answer."""
        try:
            with timed("speech"):
                answer = await self._ask(sound)
        except asyncio.CancelledError:
            labelled(EXTERNAL, "speech", "left").inc()
            raise
        except (
            aiohttp.ClientError,
            TimeoutError,
            OSError,
            msgspec.DecodeError,
            UnicodeDecodeError,
        ) as error:
            log.warning("the speech service failed", kind=type(error).__name__)
            labelled(EXTERNAL, "speech", "failed").inc()
            return None
        labelled(EXTERNAL, "speech", "ok" if answer is not None else "refused").inc()
        return answer

    async def close(self) -> None:
        """Closes its connections."""
        if self._session is not None:
            await self._session.close()

    async def _ask(self, sound: Sound) -> Transcription | None:
        url = f"{self._speech.base_url.rstrip('/')}/audio/transcriptions"
        async with self._opened().post(
            url, data=self._form(sound), headers=self._headers, allow_redirects=False
        ) as response:
            body = await _whole(response.content)
            if response.status != 200:
                log.warning("the speech service refused", status=response.status)
                return None
            return msgspec.json.decode(body, type=Transcription)

    def _form(self, sound: Sound) -> aiohttp.FormData:
        form = aiohttp.FormData()
        form.add_field("file", sound.data, filename="sound.mp3", content_type="audio/mpeg")
        form.add_field("model", self._speech.model)
        form.add_field("response_format", "verbose_json" if self._speech.segments else "json")
        if self._speech.language:
            form.add_field("language", self._speech.language)
        return form

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=self._speech.timeout_seconds)
            )
        return self._session


async def _whole(content: aiohttp.StreamReader) -> bytes:
    """An answer, up to its bound: it comes in pieces."""
    body = bytearray()
    while len(body) < MOST_BYTES and (piece := await content.read(MOST_BYTES - len(body))):
        body += piece
    return bytes(body)
