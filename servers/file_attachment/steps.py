"""The steps of a call that brings bytes, as long as they come and the call is the upload's."""

import asyncio
from collections.abc import AsyncIterator

from kari.file_attachment.v1.file_attachment_pb2 import UploadRequest
from servers.file_attachment.room import Place
from servers.runtime.chunk import Chunk


class Silent(Exception):
    """Nothing came for so many seconds."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class Overtaken(Exception):
    """A later call goes on with the upload."""


async def steps_while_heard(
    steps: AsyncIterator[UploadRequest | Chunk], place: Place, seconds: float
) -> AsyncIterator[UploadRequest | Chunk]:
    """The steps as they come. Silent if none does for `seconds`, Overtaken if the place is, at once
    if it waits for a step then."""
    while (step := await _next(steps, place, seconds)) is not None:
        yield step


async def _next(
    steps: AsyncIterator[UploadRequest | Chunk], place: Place, seconds: float
) -> UploadRequest | Chunk | None:
    if place.overtaken:
        raise Overtaken
    try:
        async with asyncio.timeout(seconds) as patience:
            place.wake = lambda: patience.reschedule(0)
            try:
                return await anext(steps, None)
            finally:
                place.wake = None
    except TimeoutError:
        if not patience.expired():
            raise
        raise (Overtaken if place.overtaken else Silent(seconds)) from None
