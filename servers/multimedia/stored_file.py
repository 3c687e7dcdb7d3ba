"""A file in file_attachment, as a job reads it."""

from typing import TYPE_CHECKING

import grpc

from kari.conversation_models.v1.file_pb2 import File
from kari.file_attachment.v1.file_attachment_pb2 import DownloadRequest, GetFileRequest
from servers.runtime.errors import from_rpc

if TYPE_CHECKING:
    from kari.file_attachment.v1.file_attachment_pb2_grpc import FileAttachmentServiceAsyncStub


class StoredFile:
    """Its bytes, read when they are needed: nothing is gathered here. For the hooks in quarantine
    as well."""

    def __init__(
        self,
        files: "FileAttachmentServiceAsyncStub",
        file: File,
        conversation_id: str,
        *,
        for_hooks: bool,
    ) -> None:
        self._files = files
        self._conversation_id = conversation_id
        self._for_hooks = for_hooks
        self.file = file

    @property
    def size(self) -> int:
        """Its size in bytes."""
        return self.file.size_bytes

    async def read(self, offset: int, length: int) -> bytes:
        """Bytes from `offset` on; none at the end."""
        length = min(length, self.size - offset)
        if length <= 0:
            return b""
        request = DownloadRequest(
            file_id=self.file.id,
            offset=offset,
            length=length,
            conversation_id=self._conversation_id,
            for_hooks=self._for_hooks,
        )
        call = self._files.Download(request)
        try:
            return b"".join([step.data async for step in call])
        except grpc.aio.AioRpcError as error:
            raise from_rpc(error) from error
        finally:
            call.cancel()


async def open_stored(
    files: "FileAttachmentServiceAsyncStub",
    file_id: str,
    *,
    conversation_id: str = "",
    for_hooks: bool = False,
) -> StoredFile:
    """A file that the caller may see; the errors of file_attachment otherwise."""
    request = GetFileRequest(file_id=file_id, conversation_id=conversation_id)
    try:
        response = await files.GetFile(request)
    except grpc.aio.AioRpcError as error:
        raise from_rpc(error) from error
    return StoredFile(files, response.file, conversation_id, for_hooks=for_hooks)
