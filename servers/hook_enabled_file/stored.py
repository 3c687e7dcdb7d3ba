"""The bytes of a file as file_attachment has them."""

from typing import TYPE_CHECKING

from kari.conversation_models.v1.file_pb2 import File
from kari.file_attachment.v1.file_attachment_pb2 import DownloadRequest

if TYPE_CHECKING:
    from kari.file_attachment.v1.file_attachment_pb2_grpc import FileAttachmentServiceAsyncStub

WINDOW = 4 * 1024 * 1024
"""What is fetched at once: readers ask for a mebibyte, mostly the next one."""


class StoredFile:
    """A `Source` for the hooks, also in quarantine. A window of it is in memory, no more."""

    def __init__(self, files: "FileAttachmentServiceAsyncStub", file: File) -> None:
        self._files = files
        self._id = file.id
        self._size = file.size_bytes
        self._start = 0
        self._window = b""

    @property
    def size(self) -> int:
        """Its size in bytes."""
        return self._size

    async def read(self, offset: int, length: int) -> bytes:
        """Bytes from `offset` on."""
        length = max(0, min(length, self._size - offset))
        if not length:
            return b""
        if not self._start <= offset <= offset + length <= self._start + len(self._window):
            self._window = await self._fetch(offset, max(length, WINDOW))
            self._start = offset
        at = offset - self._start
        return self._window[at : at + length]

    async def _fetch(self, offset: int, length: int) -> bytes:
        request = DownloadRequest(file_id=self._id, offset=offset, length=length, for_hooks=True)
        call = self._files.Download(request)
        try:
            return b"".join([step.data async for step in call])
        finally:
            call.cancel()
