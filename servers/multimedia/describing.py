"""Describing a file: the job that reads it, and whoever else is asked."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, contextmanager
from typing import TYPE_CHECKING

import structlog

from kari.errors.v1.errors_pb2 import Reason
from kari.multimedia.v1.multimedia_pb2 import DescribeRequest, Description
from servers.multimedia.captioning import Captioning, NoCaption
from servers.multimedia.configuration import Media
from servers.multimedia.description import Gathered
from servers.multimedia.hearing import Hearing
from servers.multimedia.jobs import Jobs, Queue
from servers.multimedia.kinds import HEAD_BYTES, Kind, kind_of
from servers.multimedia.metrics import FILES, timed
from servers.multimedia.readers import OCR_OFF
from servers.multimedia.said import (
    ImageWish,
    LeftOut,
    Progress,
    RecordingWish,
    Said,
    Sight,
    SightWish,
    Sound,
)
from servers.multimedia.stored_file import StoredFile, open_stored
from servers.multimedia.turns import Turn, left_of_call, taken
from servers.runtime.call import Principal
from servers.runtime.errors import InvalidRequest, KariError, RateLimited, Unavailable
from servers.runtime.labelled import labelled
from servers.runtime.limited import JobFailed, Why

if TYPE_CHECKING:
    from kari.file_attachment.v1.file_attachment_pb2_grpc import FileAttachmentServiceAsyncStub

log = structlog.get_logger("kari.multimedia")

MOST_BYTES = 1_500_000
"""Of an image as models see it."""
MARGIN_SECONDS = 20.0
"""What is left of a call's time when a job has to be at its end."""
CLOSING_SECONDS = 5.0
"""What is left of a call's time when a speech service has to have answered: who waited for it to
the end of the call would lose what was heard before."""
PREPARE_SECONDS = 20.0
LEAST_PREPARE_SECONDS = 3.0
PREPARE_MARGIN_SECONDS = 1.0
"""Of an image as models see it, which takes a second: much of the time is for its turn."""


class Describing:
    """Reads images and recordings for those whose files they are."""

    def __init__(
        self,
        files: "FileAttachmentServiceAsyncStub",
        jobs: Jobs,
        media: Media,
        captioning: Captioning,
        hearing: Hearing,
    ) -> None:
        self._files = files
        self._jobs = jobs
        self._media = media
        self._captioning = captioning
        self._hearing = hearing

    async def describe(
        self, request: DescribeRequest, who: Principal
    ) -> AsyncGenerator[float | Description, None]:
        """How far it is, then everything. InvalidRequest if the file cannot be read at all."""
        stored = await open_stored(self._files, request.file_id, for_hooks=True)
        kind = kind_of(stored.file.content_type, await stored.read(0, HEAD_BYTES))
        gathered = Gathered()
        if request.ocr and not self._media.ocr:
            gathered.add(LeftOut(f"text in pictures was not read: {OCR_OFF}"))
        with _counted(kind):
            async with aclosing(self._said(kind, stored, request, who)) as said:
                async for each in _as_far_as_it_goes(said, gathered):
                    yield each
            if kind is Kind.IMAGE and request.caption:
                await self._caption(stored, who, gathered)
        yield gathered.description()

    async def prepare(
        self, file_id: str, conversation_id: str, longest_side: int
    ) -> tuple[str, Sight]:
        """What people call an image, and the image as models see it. InvalidRequest if it is none,
        or broken."""
        stored = await open_stored(self._files, file_id, conversation_id=conversation_id)
        if kind_of(stored.file.content_type, await stored.read(0, HEAD_BYTES)) is not Kind.IMAGE:
            raise InvalidRequest(
                Reason.REASON_FILE_TYPE,
                f"{stored.file.content_type} is no image",
                content_type=stored.file.content_type,
            )
        with _counted("sight"):
            try:
                return stored.file.name, await self._sight(stored, longest_side)
            except JobFailed as failed:
                raise _error_of(failed) from failed

    async def _sight(self, stored: StoredFile, longest_side: int) -> Sight:
        wish = SightWish(longest_side, MOST_BYTES, self._most_pixels)
        turn = Turn(Queue.SIGHTS, PREPARE_SECONDS, LEAST_PREPARE_SECONDS, PREPARE_MARGIN_SECONDS)
        async with (
            taken(self._jobs, turn) as seconds,
            aclosing(self._jobs.sight(stored, wish, seconds)) as said,
        ):
            async for each in said:
                if isinstance(each, Sight) and len(each.data) <= MOST_BYTES:
                    return each
        raise JobFailed(Why.CRASHED, cause="it gave no picture")

    def _said(
        self, kind: Kind, stored: StoredFile, request: DescribeRequest, who: Principal
    ) -> AsyncGenerator[Said, None]:
        if kind is Kind.IMAGE:
            return self._of_image(stored, request)
        return self._of_recording(stored, request, who)

    async def _of_image(
        self, stored: StoredFile, request: DescribeRequest
    ) -> AsyncGenerator[Said, None]:
        most = self._media.image_seconds
        async with taken(self._jobs, Turn(Queue.IMAGES, most, most, MARGIN_SECONDS)) as seconds:
            wish = ImageWish(
                ocr=request.ocr and self._media.ocr,
                location=request.location or self._media.location,
                most_pixels=self._most_pixels,
                most_pages=self._media.pages,
                seconds=seconds,
            )
            async with aclosing(self._jobs.of_image(stored, wish, seconds)) as said:
                async for each in said:
                    yield each

    async def _of_recording(
        self, stored: StoredFile, request: DescribeRequest, who: Principal
    ) -> AsyncGenerator[Said, None]:
        by = self._hearing.by(who) if request.speech else "none"
        if request.speech and by == "none":
            because = self._hearing.unavailable_because(who)
            yield LeftOut(f"speech was not turned into text: {because}")
        most = self._media.recording_seconds
        turn = Turn(Queue.RECORDINGS, most, most, MARGIN_SECONDS)
        async with (
            taken(self._jobs, turn) as seconds,
            aclosing(
                self._jobs.of_recording(stored, self._recording_wish(request, by, seconds), seconds)
            ) as said,
        ):
            async for each in said:
                if isinstance(each, Sound):
                    for heard in await self._hearing.heard(each, left_of_call(CLOSING_SECONDS)):
                        yield heard
                else:
                    yield each

    def _recording_wish(self, request: DescribeRequest, by: str, seconds: float) -> RecordingWish:
        return RecordingWish(
            ocr=request.ocr and self._media.ocr,
            location=request.location or self._media.location,
            speech=by,
            language=self._hearing.speech.language,
            whisper_folder=str(self._hearing.folder or ""),
            part_seconds=self._hearing.speech.seconds_of_a_part,
            most_minutes=self._media.minutes,
            most_frames=self._media.frames,
            most_pixels=self._most_pixels,
            seconds=seconds,
        )

    async def _caption(self, stored: StoredFile, who: Principal, gathered: Gathered) -> None:
        """Adds a caption, where one is configured and the user may; `ListReaders` says why not."""
        if self._captioning.refusal(who):
            return
        try:
            async with asyncio.timeout(left_of_call(MARGIN_SECONDS)):
                sight = await self._sight(stored, self._captioning.caption.longest_side)
                for said in await self._captioning.of(sight, stored.file):
                    gathered.add(said)
        except NoCaption as none:
            gathered.no_caption_because = str(none)
            gathered.caption_later = none.later
        except JobFailed as failed:
            gathered.no_caption_because = f"no caption: {failed.sentence}"
            gathered.caption_later = failed.why is Why.ROOM
        except (RateLimited, TimeoutError):
            gathered.no_caption_because = "no caption: there was no time left for it"
            gathered.caption_later = True

    @property
    def _most_pixels(self) -> int:
        return int(self._media.megapixels * 1_000_000)


async def _as_far_as_it_goes(
    said: AsyncIterator[Said], gathered: Gathered
) -> AsyncGenerator[float, None]:
    """Gathers what is said, and tells how far it is. What was said before a job failed counts;
    the error of a job that said nothing."""
    try:
        async for each in said:
            if isinstance(each, Progress):
                yield min(1.0, max(0.0, each.done))
            elif not isinstance(each, Sound | Sight):
                gathered.add(each)
    except JobFailed as failed:
        log.info("a file was not read to its end", why=failed.why.value, cause=failed.cause)
        if failed.why is Why.ROOM or gathered.knows_nothing:
            raise _error_of(failed) from failed
        gathered.add(LeftOut(f"it was not read to its end: {failed.sentence}"))


def _error_of(failed: JobFailed) -> KariError:
    if failed.why is Why.ROOM:
        return Unavailable(
            Reason.REASON_SERVER_UNAVAILABLE,
            "images and recordings cannot be read at the moment; try again in a while",
        )
    return InvalidRequest(Reason.REASON_FILE_BROKEN, failed.sentence)


@contextmanager
def _counted(kind: str) -> Iterator[None]:
    """Counts a file by what became of it."""
    outcome = "left"
    try:
        with timed(kind):
            yield
        outcome = "read"
    except InvalidRequest:
        outcome = "broken"
        raise
    except RateLimited:
        outcome = "busy"
        raise
    except KariError:
        outcome = "failed"
        raise
    finally:
        labelled(FILES, kind, outcome).inc()
