"""Hook enabled file over gRPC: translates only."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING

from kari.file_attachment.v1 import file_attachment_pb2 as kept
from kari.hook_enabled_file.v1 import hook_enabled_file_pb2 as contract
from kari.hook_enabled_file.v1.hook_enabled_file_pb2_grpc import HookEnabledFileServiceServicer
from kari.multimedia.v1 import multimedia_pb2 as media
from servers.hook_enabled_file.following import Following
from servers.hook_enabled_file.hooks import Hook
from servers.hook_enabled_file.passing import Passing
from servers.runtime.chunk import Chunk
from servers.runtime.grpc_types import Context
from servers.runtime.restating import restated

if TYPE_CHECKING:
    from kari.file_attachment.v1.file_attachment_pb2_grpc import FileAttachmentServiceAsyncStub
    from kari.multimedia.v1.multimedia_pb2_grpc import MultimediaServiceAsyncStub


class HookEnabledFile(HookEnabledFileServiceServicer):
    """The way in for files: everything passes an ordered pipeline of hooks."""

    def __init__(
        self,
        files: "FileAttachmentServiceAsyncStub",
        passing: Passing,
        following: Following,
        hooks: Sequence[Hook],
        multimedia: "MultimediaServiceAsyncStub",
    ) -> None:
        self._multimedia = multimedia
        self._files = files
        self._passing = passing
        self._following = following
        self._hooks = hooks

    async def Upload(
        self, request_iterator: AsyncIterator[contract.UploadRequest | Chunk], context: Context
    ) -> contract.UploadResponse:
        """Takes a file in."""
        return await self._passing.upload(request_iterator)

    async def GetUpload(
        self, request: contract.GetUploadRequest, context: Context
    ) -> contract.GetUploadResponse:
        """How far an upload has come."""
        response = await self._files.GetUpload(restated(request, kept.GetUploadRequest))
        return restated(response, contract.GetUploadResponse)

    async def Download(
        self, request: contract.DownloadRequest, context: Context
    ) -> AsyncIterator[contract.DownloadResponse]:
        """The bytes of a file."""
        async for step in self._passing.download(request):
            yield step

    async def GetFile(
        self, request: contract.GetFileRequest, context: Context
    ) -> contract.GetFileResponse:
        """One file."""
        response = await self._files.GetFile(restated(request, kept.GetFileRequest))
        return contract.GetFileResponse(file=response.file)

    async def ListFiles(
        self, request: contract.ListFilesRequest, context: Context
    ) -> contract.ListFilesResponse:
        """A page of files."""
        response = await self._files.ListFiles(restated(request, kept.ListFilesRequest))
        return restated(response, contract.ListFilesResponse)

    async def DeleteFile(
        self, request: contract.DeleteFileRequest, context: Context
    ) -> contract.DeleteFileResponse:
        """Deletes a file and its text."""
        return contract.DeleteFileResponse(erased=await self._passing.delete(request.file_id))

    async def AttachFiles(
        self, request: contract.AttachFilesRequest, context: Context
    ) -> contract.AttachFilesResponse:
        """Ties files to a conversation and a message."""
        return await self._passing.attach(request)

    async def FollowFile(
        self, request: contract.FollowFileRequest, context: Context
    ) -> AsyncIterator[contract.FollowFileResponse]:
        """How a file goes through the hooks."""
        async for step in self._following.follow(request):
            yield step

    async def ListHooks(
        self, request: contract.ListHooksRequest, context: Context
    ) -> contract.ListHooksResponse:
        """The hooks, in their order."""
        shown = await asyncio.gather(*(_shown(hook) for hook in self._hooks))
        return contract.ListHooksResponse(hooks=shown)

    async def ListReaders(
        self, request: contract.ListReadersRequest, context: Context
    ) -> contract.ListReadersResponse:
        """What reads pictures and recordings."""
        response = await self._multimedia.ListReaders(media.ListReadersRequest())
        return restated(response, contract.ListReadersResponse)


async def _shown(hook: Hook) -> contract.Hook:
    why = await hook.unavailable()
    return contract.Hook(
        name=hook.name,
        kind=hook.kind,
        description=hook.description,
        available=not why,
        unavailable_because=why,
    )
