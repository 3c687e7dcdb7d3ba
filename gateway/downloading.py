"""Files over HTTP: their bytes, what is known of them, their deletion."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, aclosing

from google.protobuf import json_format
from google.protobuf.message import Message
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from gateway.connections import Connections
from gateway.envelopes import error_response
from gateway.hub import Hub
from gateway.ranges import Span, headers_of, is_same, range_of, span_of, unchanged_headers
from gateway.visitors import Visitors
from kari.chat_hub.v1.chat_hub_pb2 import (
    DeleteFileRequest,
    DownloadFileRequest,
    DownloadFileResponse,
    GetFileRequest,
    GetFileResponse,
    ListFilesRequest,
)
from kari.conversation_models.v1.file_pb2 import FileState
from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.errors import InvalidRequest
from servers.runtime.interceptors.validation import validate

READY = FileState.FILE_STATE_READY


class Downloading:
    """Serves files to those who may read them."""

    def __init__(self, hub: Hub, visitors: Visitors, transfers: Connections) -> None:
        self._hub = hub
        self._visitors = visitors
        self._transfers = transfers

    async def show(self, request: Request) -> Response:
        """`GET /v1/files/ID`: what is known of a file."""
        return await self._asked(request, "GetFile", _asked_for(request))

    async def page(self, request: Request) -> Response:
        """`GET /v1/files`: the caller's files, or those of `?conversation_id=`."""
        query = request.query_params
        size = query.get("page_size", "0")
        asked = ListFilesRequest(
            conversation_id=query.get("conversation_id", ""),
            page_size=int(size) if size.isascii() and size.isdigit() and len(size) < 5 else -1,
            page_token=query.get("page_token", ""),
        )
        return await self._asked(request, "ListFiles", asked)

    async def delete(self, request: Request) -> Response:
        """`DELETE /v1/files/ID`."""
        asked = DeleteFileRequest(file_id=request.path_params["file_id"])
        return await self._asked(request, "DeleteFile", asked)

    async def content(self, request: Request) -> Response:
        """`GET /v1/files/ID/content`: the bytes, or those of the header Range if they are still
        those of If-Range; nothing if If-None-Match says that the client has them."""
        asked = _asked_for(request)
        validate(asked)
        async with self._visitors.admitted(request, "GetFile"):
            known = await self._hub.ask("GetFile", asked)
        assert isinstance(known, GetFileResponse)  # noqa: S101  # as the contract says
        file = known.file
        if file.state == READY and is_same(request.headers.get("if-none-match", ""), file):
            return Response(status_code=304, headers=unchanged_headers(file))
        span = span_of(range_of(request.headers, file), file.size_bytes)
        if span is None:
            return _unsatisfiable(file.size_bytes)
        wanted = DownloadFileRequest(
            file_id=asked.file_id,
            offset=span.offset,
            length=span.length,
            conversation_id=asked.conversation_id,
        )
        return await self._stream(request, wanted, span)

    async def _stream(self, request: Request, wanted: DownloadFileRequest, span: Span) -> Response:
        """The first step is waited for, so that an error is told as one; the rest as it is sent."""
        async with self._visitors.admitted(request, "DownloadFile") as who, AsyncExitStack() as own:
            await own.enter_async_context(self._transfers.place(who))
            steps = await own.enter_async_context(aclosing(self._hub.read("DownloadFile", wanted)))
            first = await anext(steps)
            assert isinstance(first, DownloadFileResponse)  # noqa: S101  # as the contract says
            headers = headers_of(first.file, span)
            status = 206 if span.partial else 200
            if request.method == "HEAD":
                return Response(status_code=status, headers=headers)
            return _Streamed(_bytes_of(steps), status, headers, own.pop_all())

    async def _asked(self, request: Request, method: str, asked: Message) -> Response:
        validate(asked)
        async with self._visitors.admitted(request, method):
            response = await self._hub.ask(method, asked)
        body = json_format.MessageToJson(response, indent=None)
        return Response(body, 200, {"cache-control": "no-store"}, "application/json")


class _Streamed(StreamingResponse):
    """Closes what it streams from however it ends, even before its first byte."""

    def __init__(
        self,
        body: AsyncIterator[bytes],
        status: int,
        headers: Mapping[str, str],
        stack: AsyncExitStack,
    ) -> None:
        super().__init__(body, status, headers)
        self._stack = stack

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._stack:
            await super().__call__(scope, receive, send)


async def _bytes_of(steps: AsyncIterator[Message]) -> AsyncIterator[bytes]:
    async for step in steps:
        assert isinstance(step, DownloadFileResponse)  # noqa: S101  # as the contract says
        yield step.data


def _asked_for(request: Request) -> GetFileRequest:
    return GetFileRequest(
        file_id=request.path_params["file_id"],
        conversation_id=request.query_params.get("conversation_id", ""),
    )


def _unsatisfiable(size: int) -> Response:
    error = InvalidRequest(
        Reason.REASON_FILE_RANGE, f"the file has {size} bytes; those are not among them", size=size
    )
    response = error_response(error, 416)
    response.headers["content-range"] = f"bytes */{size}"
    return response
