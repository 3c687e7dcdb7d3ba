"""The hub over gRPC, as to files: admits and translates only."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any

from kari.chat_hub.v1 import chat_hub_pb2 as hub
from kari.chat_hub.v1.chat_hub_pb2_grpc import ChatHubServiceServicer
from kari.conversation_manager.v1.conversation_manager_pb2 import GetConversationRequest
from kari.hook_enabled_file.v1 import hook_enabled_file_pb2 as hooks
from servers.chat_hub.peers import Peers
from servers.chat_hub.token_life import while_valid
from servers.runtime.call import principal
from servers.runtime.chunk import Chunk
from servers.runtime.grpc_types import Context
from servers.runtime.restating import restated


class Files(ChatHubServiceServicer):
    """Passes files on; see the contract for every method. A conversation through which a file is
    reached has to be one of the caller's."""

    def __init__(self, peers: Peers) -> None:
        self._peers = peers

    async def UploadFile(
        self, request_iterator: AsyncIterator[hub.UploadFileRequest | Chunk], context: Context
    ) -> hub.UploadFileResponse:
        """Takes a file in. A call that is cut has no end, and has none further on either."""
        first = await anext(request_iterator, hub.UploadFileRequest())
        if not isinstance(first, Chunk):
            await self._require_participant(first.start.conversation_id)
        response = await self._peers.files.Upload(_passed_on(first, request_iterator))
        return restated(response, hub.UploadFileResponse)

    async def GetUpload(
        self, request: hub.GetUploadRequest, context: Context
    ) -> hub.GetUploadResponse:
        """How far an upload has come."""
        response = await self._peers.files.GetUpload(restated(request, hooks.GetUploadRequest))
        return restated(response, hub.GetUploadResponse)

    async def DownloadFile(
        self, request: hub.DownloadFileRequest, context: Context
    ) -> AsyncGenerator[hub.DownloadFileResponse, None]:
        """The bytes of a file."""
        await self._require_participant(request.conversation_id)
        call = self._peers.files.Download(restated(request, hooks.DownloadRequest))
        try:
            async for step in call:
                if step.HasField("file"):
                    yield hub.DownloadFileResponse(file=step.file)
                else:
                    yield hub.DownloadFileResponse(data=step.data)
        finally:
            call.cancel()

    async def GetFile(self, request: hub.GetFileRequest, context: Context) -> hub.GetFileResponse:
        """One file."""
        await self._require_participant(request.conversation_id)
        response = await self._peers.files.GetFile(restated(request, hooks.GetFileRequest))
        return hub.GetFileResponse(file=response.file)

    async def ListFiles(
        self, request: hub.ListFilesRequest, context: Context
    ) -> hub.ListFilesResponse:
        """A page of files."""
        await self._require_participant(request.conversation_id)
        response = await self._peers.files.ListFiles(restated(request, hooks.ListFilesRequest))
        return restated(response, hub.ListFilesResponse)

    async def DeleteFile(
        self, request: hub.DeleteFileRequest, context: Context
    ) -> hub.DeleteFileResponse:
        """Deletes a file."""
        response = await self._peers.files.DeleteFile(restated(request, hooks.DeleteFileRequest))
        return hub.DeleteFileResponse(erased=response.erased)

    async def ListHooks(
        self, request: hub.ListHooksRequest, context: Context
    ) -> hub.ListHooksResponse:
        """The hooks, in their order."""
        response = await self._peers.files.ListHooks(hooks.ListHooksRequest())
        return restated(response, hub.ListHooksResponse)

    async def ListReaders(
        self, request: hub.ListReadersRequest, context: Context
    ) -> hub.ListReadersResponse:
        """What reads pictures and recordings."""
        response = await self._peers.files.ListReaders(hooks.ListReadersRequest())
        return restated(response, hub.ListReadersResponse)

    async def FollowFile(
        self, request: hub.FollowFileRequest, context: Context
    ) -> AsyncGenerator[hub.FollowFileResponse, None]:
        """How a file goes through the hooks."""
        await self._require_participant(request.conversation_id)
        async with aclosing(while_valid(principal(), self._changes(request))) as valid_changes:
            async for change in valid_changes:
                yield change

    async def _changes(
        self, request: hub.FollowFileRequest
    ) -> AsyncGenerator[hub.FollowFileResponse, None]:
        call = self._peers.files.FollowFile(restated(request, hooks.FollowFileRequest))
        try:
            async for change in call:
                yield hub.FollowFileResponse(file=change.file, done=change.done)
        finally:
            call.cancel()

    async def _require_participant(self, conversation_id: str) -> None:
        if conversation_id:
            request = GetConversationRequest(conversation_id=conversation_id)
            await self._peers.conversations.GetConversation(request)


async def _passed_on(
    first: hub.UploadFileRequest | Chunk, rest: AsyncIterator[hub.UploadFileRequest | Chunk]
) -> AsyncIterator[Any]:
    """Nothing here may fail: grpc.aio takes that for a call that its client called off."""
    yield _passed(first)
    async for step in rest:
        yield _passed(step)


def _passed(step: hub.UploadFileRequest | Chunk) -> hooks.UploadRequest | Chunk:
    return step if isinstance(step, Chunk) else restated(step, hooks.UploadRequest)
