"""Files on their way through: to file_attachment and back. Bytes are passed on as they come; who
reads or writes slowly holds the other side back."""

from collections.abc import AsyncGenerator, AsyncIterator
from typing import TYPE_CHECKING, Any

from kari.file_attachment.v1 import file_attachment_pb2 as kept
from kari.hook_enabled_file.v1 import hook_enabled_file_pb2 as contract
from kari.production_memory.v1.production_memory_pb2 import DropFileRequest, ShareFilesRequest
from servers.hook_enabled_file.claims import Claims
from servers.runtime.chunk import Chunk
from servers.runtime.restating import restated

if TYPE_CHECKING:
    from kari.file_attachment.v1.file_attachment_pb2_grpc import FileAttachmentServiceAsyncStub
    from kari.production_memory.v1.production_memory_pb2_grpc import (
        ProductionMemoryServiceAsyncStub,
    )


class Passing:
    """What users do with files."""

    def __init__(
        self,
        files: "FileAttachmentServiceAsyncStub",
        memory: "ProductionMemoryServiceAsyncStub",
        claims: Claims,
    ) -> None:
        self._files = files
        self._memory = memory
        self._claims = claims

    async def upload(
        self, steps: AsyncIterator[contract.UploadRequest | Chunk]
    ) -> contract.UploadResponse:
        """Passes an upload on. Its `end` goes on only if it came: a call that was cut ends without
        one there as well, and finishes nothing. The hooks of a finished one begin at once."""
        call = self._files.Upload(_passed_on(steps))
        try:
            response = await call
        finally:
            call.cancel()
        if response.file.id and not response.file.done:
            self._claims.soon(response.file.id)
        return restated(response, contract.UploadResponse)

    async def download(
        self, request: contract.DownloadRequest
    ) -> AsyncGenerator[contract.DownloadResponse, None]:
        """Passes the bytes of a file on; the next ones are asked for when these are taken."""
        call = self._files.Download(restated(request, kept.DownloadRequest))
        try:
            async for step in call:
                if step.WhichOneof("step") == "file":
                    yield contract.DownloadResponse(file=step.file)
                else:
                    yield contract.DownloadResponse(data=step.data)
        finally:
            call.cancel()

    async def delete(self, file_id: str) -> bool:
        """Deletes a file and its text; whether its bytes are erased. Its text goes first: if the
        rest fails then, whoever asks again finds the file still there. Text that hooks under way
        bring later is not taken any more."""
        await self._files.GetFile(kept.GetFileRequest(file_id=file_id))
        self._claims.drop(file_id)
        await self._memory.DropFile(DropFileRequest(file_id=file_id))
        response = await self._files.DeleteFile(kept.DeleteFileRequest(file_id=file_id))
        return bool(response.erased)

    async def attach(self, request: contract.AttachFilesRequest) -> contract.AttachFilesResponse:
        """Ties files to a conversation; with a message, their text can be found there as well."""
        response = await self._files.AttachFiles(restated(request, kept.AttachFilesRequest))
        if request.message_id:
            await self._memory.ShareFiles(
                ShareFilesRequest(
                    file_ids=request.file_ids, conversation_id=request.conversation_id
                )
            )
        return restated(response, contract.AttachFilesResponse)


async def _passed_on(
    steps: AsyncIterator[contract.UploadRequest | Chunk],
) -> AsyncGenerator[Any, None]:
    async for step in steps:
        if isinstance(step, Chunk):
            yield step
        elif step.WhichOneof("step") == "start":
            yield kept.UploadRequest(start=restated(step.start, kept.UploadStart))
        else:
            yield kept.UploadRequest(end=restated(step.end, kept.UploadEnd))
