"""File attachment over gRPC: translates only."""

from collections.abc import AsyncIterator

from kari.file_attachment.v1 import file_attachment_pb2 as contract
from kari.file_attachment.v1.file_attachment_pb2_grpc import FileAttachmentServiceServicer
from servers.file_attachment.claiming import Claiming
from servers.file_attachment.keeping import Keeping
from servers.file_attachment.receiving import Receiving
from servers.file_attachment.rows import unknown_file
from servers.file_attachment.serving import Serving
from servers.runtime.call import principal
from servers.runtime.chunk import Chunk
from servers.runtime.grpc_types import Context


class FileAttachment(FileAttachmentServiceServicer):
    """Keeps files; see the contract for every method."""

    def __init__(
        self,
        receiving: Receiving,
        serving: Serving,
        keeping: Keeping,
        claiming: Claiming,
    ) -> None:
        self._receiving = receiving
        self._serving = serving
        self._keeping = keeping
        self._claiming = claiming

    async def Upload(
        self, request_iterator: AsyncIterator[contract.UploadRequest | Chunk], context: Context
    ) -> contract.UploadResponse:
        """Takes a file in."""
        return await self._receiving.receive(request_iterator, principal())

    async def GetUpload(
        self, request: contract.GetUploadRequest, context: Context
    ) -> contract.GetUploadResponse:
        """How far an upload has come."""
        row = await self._receiving.progress(request.request_id, principal())
        if row is None:
            raise unknown_file()
        file_id = row["file_id"]
        file = await self._keeping.file(file_id, principal()) if file_id else None
        return contract.GetUploadResponse(
            received_bytes=row["received_bytes"], size_bytes=row["size_bytes"], file=file
        )

    async def Download(
        self, request: contract.DownloadRequest, context: Context
    ) -> AsyncIterator[contract.DownloadResponse]:
        """The bytes of a file."""
        async for step in self._serving.read(request, principal()):
            yield step

    async def GetFile(
        self, request: contract.GetFileRequest, context: Context
    ) -> contract.GetFileResponse:
        """One file."""
        file = await self._keeping.file(request.file_id, principal(), request.conversation_id)
        return contract.GetFileResponse(file=file)

    async def ListFiles(
        self, request: contract.ListFilesRequest, context: Context
    ) -> contract.ListFilesResponse:
        """A page of files."""
        files, token = await self._keeping.page(request, principal())
        used, quota = await self._keeping.used(principal())
        return contract.ListFilesResponse(
            files=files, next_page_token=token, used_bytes=used, quota_bytes=quota
        )

    async def DeleteFile(
        self, request: contract.DeleteFileRequest, context: Context
    ) -> contract.DeleteFileResponse:
        """Deletes a file."""
        erased = await self._keeping.delete(request.file_id, principal())
        return contract.DeleteFileResponse(erased=erased)

    async def AttachFiles(
        self, request: contract.AttachFilesRequest, context: Context
    ) -> contract.AttachFilesResponse:
        """Ties files to a conversation and a message."""
        files = await self._keeping.attach(
            request.file_ids, principal(), request.conversation_id, request.message_id
        )
        return contract.AttachFilesResponse(files=files)

    async def ClaimFiles(
        self, request: contract.ClaimFilesRequest, context: Context
    ) -> contract.ClaimFilesResponse:
        """Leases files whose hooks have to run."""
        return contract.ClaimFilesResponse(files=await self._claiming.claim(request))

    async def RecordHooks(
        self, request: contract.RecordHooksRequest, context: Context
    ) -> contract.RecordHooksResponse:
        """Keeps what hooks said."""
        file = await self._claiming.record(request, principal())
        return contract.RecordHooksResponse(file=file)
