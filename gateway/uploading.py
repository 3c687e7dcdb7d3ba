"""Uploads over HTTP: whole ones as forms, and resumable ones by the tus protocol (1.0.0, with its
extensions creation and termination)."""

import time
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from urllib.parse import quote

from google.protobuf import json_format
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from gateway.connections import Connections
from gateway.form import Form
from gateway.form_steps import form_steps
from gateway.hub import Hub
from gateway.limits import Limits
from gateway.pieces import Pieces
from gateway.tus import CHUNK_TYPE, OFFERED, TUS, metadata_of, number_of, require_tus
from gateway.visitors import Visitors
from kari.chat_hub.v1.chat_hub_pb2 import (
    GetUploadRequest,
    GetUploadResponse,
    UploadFileEnd,
    UploadFileRequest,
    UploadFileResponse,
    UploadFileStart,
)
from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.chunk import Chunk
from servers.runtime.errors import Conflict, InvalidRequest, KariError, Unavailable
from servers.runtime.ids import new_id

FORMS = "/v1/files"
RESUMABLE = "/v1/uploads"


class Uploading:
    """Takes files in and passes them on as they come: no more than a few pieces are in memory."""

    def __init__(
        self, hub: Hub, visitors: Visitors, limits: Limits, transfers: Connections
    ) -> None:
        self._hub = hub
        self._visitors = visitors
        self._limits = limits
        self._transfers = transfers

    async def form(self, request: Request) -> Response:
        """`POST /v1/files`: a form with the field `file`, after `conversation_id` and
        `strip_metadata` if they are there. The header Idempotency-Key makes it repeatable."""
        form = Form(request.headers.get("content-type", ""))
        request_id = request.headers.get("idempotency-key", "") or new_id("up")
        async with self._visitors.admitted(request, "UploadFile") as who:
            await self._limits.upload(who)
            async with self._transfers.place(who):
                try:
                    response = await self._send(form_steps(request, form, request_id))
                except Unavailable:
                    if not request.headers.get("idempotency-key"):
                        await self._forget(request_id)
                    raise
        return _created(response)

    async def create(self, request: Request) -> Response:
        """`POST /v1/uploads`: begins a resumable upload of Upload-Length bytes; Upload-Metadata has
        `filename`, and `conversation_id` and `strip_metadata` if wanted."""
        require_tus(request.headers)
        length = number_of(request.headers, "upload-length")
        metadata = metadata_of(request.headers.get("upload-metadata", ""))
        request_id = request.headers.get("idempotency-key", "") or new_id("up")
        start = UploadFileStart(
            request_id=request_id,
            name=metadata.get("filename", ""),
            size_bytes=length,
            conversation_id=metadata.get("conversation_id", ""),
            strip_metadata=metadata.get("strip_metadata", "") in ("1", "true"),
        )
        end = UploadFileEnd(partial=length > 0)
        async with self._visitors.admitted(request, "UploadFile") as who:
            await self._limits.upload(who)
            response = await self._send(_listed([start], end))
        headers = {
            **TUS,
            "location": f"{RESUMABLE}/{quote(request_id, safe='')}",
            **_of_file(response),
        }
        return Response(status_code=201, headers=headers)

    async def look(self, request: Request) -> Response:
        """`HEAD /v1/uploads/ID`: how far it has come."""
        got = await self._progress(request)
        headers = {**TUS, "cache-control": "no-store", "upload-offset": str(got.received_bytes)}
        if got.size_bytes:
            headers["upload-length"] = str(got.size_bytes)
        else:  # as of a form that was cut
            headers["upload-defer-length"] = "1"
        return Response(status_code=200, headers=headers | _of_file(got))

    async def append(self, request: Request) -> Response:
        """`PATCH /v1/uploads/ID`: the bytes from Upload-Offset on. With the last of them the answer
        names the file: Kari-File-Id. Where nobody knows yet how long it is, Upload-Length has to
        say so once; none is the last before."""
        require_tus(request.headers)
        if request.headers.get("content-type", "") != CHUNK_TYPE:
            raise InvalidRequest(Reason.REASON_FRAME_INVALID, f"send `content-type: {CHUNK_TYPE}`")
        offset = number_of(request.headers, "upload-offset")
        length = _length_by(await self._progress(request), request)
        start = UploadFileStart(
            request_id=request.path_params["upload_id"],
            size_bytes=length or 0,
            offset=offset,
        )
        async with (
            self._visitors.admitted(request, "UploadFile") as who,
            self._transfers.place(who),
        ):
            response = await self._send(_body_steps(request, start, length))
        headers = {**TUS, "upload-offset": str(response.received_bytes)}
        return Response(status_code=204, headers=headers | _of_file(response))

    async def give_up(self, request: Request) -> Response:
        """`DELETE /v1/uploads/ID`: what came of it is erased. A finished one is a file."""
        require_tus(request.headers)
        known = await self._progress(request)
        if known.HasField("file"):
            raise Conflict(
                Reason.REASON_UPLOAD_OFFSET,
                f"this upload is finished: delete {FORMS}/{known.file.id}",
                offset=known.received_bytes,
            )
        async with self._visitors.admitted(request, "UploadFile"):
            await self._discard(request.path_params["upload_id"], known)
        return Response(status_code=204, headers=TUS)

    async def options(self, request: Request) -> Response:
        """`OPTIONS /v1/uploads`: what of the protocol is spoken."""
        return Response(status_code=204, headers=OFFERED)

    async def _forget(self, request_id: str) -> None:
        """Gives up what nobody can go on with, for nobody knows its id: on a full disk it would
        take the room that the next one needs."""
        with suppress(KariError):  # what is left is given up in time
            await self._discard(request_id, await self._known(request_id))

    async def _discard(self, request_id: str, known: GetUploadResponse) -> None:
        start = UploadFileStart(request_id=request_id, offset=known.received_bytes)
        await self._send(_listed([start], UploadFileEnd(discard=True)))

    async def _progress(self, request: Request) -> GetUploadResponse:
        async with self._visitors.admitted(request, "GetUpload"):
            return await self._known(request.path_params["upload_id"])

    async def _known(self, request_id: str) -> GetUploadResponse:
        got = await self._hub.ask("GetUpload", GetUploadRequest(request_id=request_id))
        assert isinstance(got, GetUploadResponse)  # noqa: S101  # as the contract says
        return got

    async def _send(self, steps: AsyncIterator[UploadFileRequest | Chunk]) -> UploadFileResponse:
        response = await self._hub.send("UploadFile", steps)
        assert isinstance(response, UploadFileResponse)  # noqa: S101  # as the contract says
        return response


async def _listed(
    starts: Iterable[UploadFileStart], end: UploadFileEnd
) -> AsyncIterator[UploadFileRequest]:
    for start in starts:
        yield UploadFileRequest(start=start)
    yield UploadFileRequest(end=end)


async def _body_steps(
    request: Request, start: UploadFileStart, length: int | None
) -> AsyncIterator[UploadFileRequest | Chunk]:
    """The bytes of a body; they are the last if there are `length` then. Of one that has more
    nothing is kept, as further on."""
    yield UploadFileRequest(start=start)
    pieces, came, cut = Pieces(time.monotonic), start.offset, False
    try:
        async for chunk in request.stream():
            pieces.add(chunk)
            came += len(chunk)
            if length is not None and came > length:
                yield UploadFileRequest(end=UploadFileEnd(discard=True))
                raise _too_many(length)
            for piece in pieces.full():
                yield piece
    except ClientDisconnect:
        cut = True
    for piece in pieces.rest():
        yield piece
    yield UploadFileRequest(end=UploadFileEnd(partial=cut or came != length))


def _length_by(known: GetUploadResponse, request: Request) -> int | None:
    """How long an upload is, by what was said before or is said now; None if nobody knows yet."""
    if known.size_bytes:
        return known.size_bytes
    if "upload-length" in request.headers:
        return number_of(request.headers, "upload-length")
    return None


def _too_many(length: int) -> InvalidRequest:
    return InvalidRequest(
        Reason.REASON_UPLOAD_DIFFERS, f"more than the {length} bytes that were announced came"
    )


def _created(response: UploadFileResponse) -> Response:
    body = json_format.MessageToJson(response, indent=None)
    headers = {"cache-control": "no-store", "location": f"{FORMS}/{response.file.id}"}
    return Response(body, 201, headers, "application/json")


def _of_file(response: UploadFileResponse | GetUploadResponse) -> dict[str, str]:
    return {"kari-file-id": response.file.id} if response.HasField("file") else {}
