"""The methods that are about files: translate only."""

from kari.production_memory.v1 import production_memory_pb2 as contract
from servers.production_memory.files import Files
from servers.runtime.call import principal
from servers.runtime.grpc_types import Context


class FileMethods:
    """Keeps the text of files, gives and erases it; see the contract for every method."""

    def __init__(self, files: Files) -> None:
        self._files = files

    async def IndexFile(
        self, request: contract.IndexFileRequest, context: Context
    ) -> contract.IndexFileResponse:
        """Keeps pieces of a file."""
        return contract.IndexFileResponse(chunks=await self._files.index(request, principal()))

    async def ShareFiles(
        self, request: contract.ShareFilesRequest, context: Context
    ) -> contract.ShareFilesResponse:
        """Ties files to a conversation."""
        await self._files.share(request.file_ids, request.conversation_id, principal())
        return contract.ShareFilesResponse()

    async def DropFile(
        self, request: contract.DropFileRequest, context: Context
    ) -> contract.DropFileResponse:
        """Erases the pieces of a file."""
        return contract.DropFileResponse(
            chunks=await self._files.drop(request.file_id, principal())
        )

    async def GetFileChunks(
        self, request: contract.GetFileChunksRequest, context: Context
    ) -> contract.GetFileChunksResponse:
        """Pieces of a file."""
        found = await self._files.read(request, principal())
        return contract.GetFileChunksResponse(
            chunks=found.chunks, name=found.name, total=found.total, indexed=found.indexed
        )
