"""The steps of an upload that comes as a form."""

import time
from collections.abc import AsyncIterator

from starlette.requests import ClientDisconnect, Request

from gateway.form import FILE, Field, FileBegins, FileEnds, Form
from gateway.pieces import Pieces
from kari.chat_hub.v1.chat_hub_pb2 import UploadFileEnd, UploadFileRequest, UploadFileStart
from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.chunk import Chunk
from servers.runtime.errors import InvalidRequest


async def form_steps(
    request: Request, form: Form, request_id: str
) -> AsyncIterator[UploadFileRequest | Chunk]:
    """The file of a form. A form that was cut has no end, so that half a file is none. Of one that
    is refused nothing is kept."""
    begun = False
    try:
        async for step in _steps_of_form(request, form, request_id):
            begun = True
            yield step
    except InvalidRequest:
        if begun:
            yield UploadFileRequest(end=UploadFileEnd(discard=True))
        raise


async def _steps_of_form(
    request: Request, form: Form, request_id: str
) -> AsyncIterator[UploadFileRequest | Chunk]:
    start, begun, ended = UploadFileStart(request_id=request_id), False, False
    pieces = Pieces(time.monotonic)
    async for chunk in _chunks(request):
        for event in form.feed(chunk):
            match event:
                case Field() if begun:
                    raise _too_late(event)
                case Field():
                    _apply(start, event)
                case FileBegins() if begun:
                    raise InvalidRequest(
                        Reason.REASON_FRAME_INVALID, "a form has one file; send another form"
                    )
                case FileBegins():
                    begun, start.name = True, event.name
                    start.expected_bytes = form.file_bytes(event, _length_of(request))
                    yield UploadFileRequest(start=start)
                case FileEnds():
                    ended = True
                case _:
                    pieces.add(event)
        for piece in pieces.full():
            yield piece
    if not begun:
        raise InvalidRequest(
            Reason.REASON_FIELD_INVALID,
            f"the form has no file; put it into the field `{FILE}`",
            violations=[(FILE, "is missing")],
        )
    for piece in pieces.rest():
        yield piece
    if ended and form.ended:
        yield UploadFileRequest(end=UploadFileEnd())


async def _chunks(request: Request) -> AsyncIterator[bytes]:
    """The body as it comes. One whose client went away just ends: what came is kept."""
    try:
        async for chunk in request.stream():
            yield chunk
    except ClientDisconnect:
        return


def _apply(start: UploadFileStart, field: Field) -> None:
    """What a field before the file says."""
    if field.name == "conversation_id":
        start.conversation_id = field.value
    elif field.name == "strip_metadata":
        start.strip_metadata = field.value in ("1", "true", "on")
    elif field.name == FILE:
        raise InvalidRequest(
            Reason.REASON_FIELD_INVALID,
            f"the field `{FILE}` holds no file: it has no `filename`",
            violations=[(FILE, "has no filename")],
        )
    else:
        raise InvalidRequest(
            Reason.REASON_FIELD_INVALID,
            f"the form has no field `{field.name[:50]}`",
            violations=[(field.name[:50], "is not known here")],
        )


def _too_late(field: Field) -> InvalidRequest:
    """What it asks for has not been done: its file is on its way."""
    return InvalidRequest(
        Reason.REASON_FIELD_INVALID,
        f"fields come before the file; put `{field.name[:50]}` in front of `{FILE}`",
        violations=[(field.name[:50], "comes behind the file")],
    )


def _length_of(request: Request) -> int:
    """Bytes of the body as its header says; 0 if it does not."""
    value = request.headers.get("content-length", "")
    return int(value) if value.isascii() and value.isdigit() and len(value) <= 18 else 0
