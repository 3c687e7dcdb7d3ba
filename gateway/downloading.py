"""Files over HTTP: their bytes, what is known of them, their deletion."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing

from google.protobuf import json_format
from google.protobuf.message import Message
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from gateway.envelopes import error_response
from gateway.hub import Hub
from gateway.ranges import headers_of, span_of
from gateway.visitors import Visitors
from kari.chat_hub.v1.chat_hub_pb2 import (
    DeleteFileRequest,
    DownloadFileRequest,
    DownloadFileResponse,
    GetFileRequest,
    GetFileResponse,
    ListFilesRequest,
)
from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.errors import InvalidRequest
from servers.runtime.interceptors.validation import validate


class Downloading:
    """Serves files to those who may read them."""

    def __init__(self, hub: Hub, visitors: Visitors) -> None:
        self._hub = hub
        self._visitors = visitors

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
        """`GET /v1/files/ID/content`: the bytes, or those of the header Range."""
        asked = _asked_for(request)
        validate(asked)
        async with self._visitors.admitted(request, "GetFile"):
            known = await self._hub.ask("GetFile", asked)
        assert isinstance(known, GetFileResponse)  # noqa: S101  # as the contract says
        span = span_of(request.headers.get("range", ""), known.file.size_bytes)
        if span is None:
            return _unsatisfiable(known.file.size_bytes)
        wanted = DownloadFileRequest(
            file_id=asked.file_id,
            offset=span.offset,
            length=span.length,
            conversation_id=asked.conversation_id,
        )
        return await self._stream(request, wanted, partial=span.partial)

    async def _stream(
        self, request: Request, wanted: DownloadFileRequest, *, partial: bool
    ) -> Response:
        """The first step is waited for, so that an error is told as one; the rest as it is sent."""
        stack = AsyncExitStack()
        async with self._visitors.admitted(request, "DownloadFile"):
            steps = await stack.enter_async_context(
                aclosing(self._hub.read("DownloadFile", wanted))
            )
            try:
                first = await anext(steps)
            except BaseException:
                await stack.aclose()
                raise
        assert isinstance(first, DownloadFileResponse)  # noqa: S101  # as the contract says
        span = span_of(request.headers.get("range", ""), first.file.size_bytes)
        assert span is not None  # noqa: S101  # the server has found the bytes
        headers = dict(headers_of(first.file, span))

        async def body() -> AsyncIterator[bytes]:
            async with stack:
                async for step in steps:
                    assert isinstance(step, DownloadFileResponse)  # noqa: S101  # see above
                    yield step.data

        return StreamingResponse(body(), 206 if partial else 200, headers)

    async def _asked(self, request: Request, method: str, asked: Message) -> Response:
        validate(asked)
        async with self._visitors.admitted(request, method):
            response = await self._hub.ask(method, asked)
        body = json_format.MessageToJson(response, indent=None)
        return Response(body, 200, {"cache-control": "no-store"}, "application/json")


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
