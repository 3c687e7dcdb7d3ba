"""Following a file through the hooks."""

import asyncio
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

from kari.file_attachment.v1.file_attachment_pb2 import GetFileRequest
from kari.hook_enabled_file.v1.hook_enabled_file_pb2 import FollowFileRequest, FollowFileResponse
from servers.hook_enabled_file.news import News

if TYPE_CHECKING:
    from kari.file_attachment.v1.file_attachment_pb2_grpc import FileAttachmentServiceAsyncStub

FIRST_PAUSE, LONGEST_PAUSE, GROWTH = 0.25, 5.0, 1.5


class Following:
    """Tells how a file stands, then each change, until its hooks are done. What happens in this
    process is told at once; what happens elsewhere is looked for, more rarely the longer nothing
    happens."""

    def __init__(self, files: "FileAttachmentServiceAsyncStub", news: News) -> None:
        self._files = files
        self._news = news

    async def follow(self, request: FollowFileRequest) -> AsyncGenerator[FollowFileResponse, None]:
        """The states of a file that the caller may see."""
        wanted = GetFileRequest(file_id=request.file_id, conversation_id=request.conversation_id)
        told, pause = FollowFileResponse(), FIRST_PAUSE
        with self._news.of(request.file_id) as event:
            while not told.done:
                event.clear()
                file = (await self._files.GetFile(wanted)).file
                now = FollowFileResponse(file=file, done=file.done)
                if now != told:
                    told, pause = now, FIRST_PAUSE
                    yield told
                if not told.done:
                    pause = await _rest(event, pause)


async def _rest(event: asyncio.Event, pause: float) -> float:
    """Waits for news, at most `pause`; the next pause."""
    try:
        async with asyncio.timeout(pause):
            await event.wait()
    except TimeoutError:
        return min(pause * GROWTH, LONGEST_PAUSE)
    return FIRST_PAUSE
