"""Both subprotocols: bytes to client frames, server frames to bytes.

`kari.v1.json` is proto3 JSON in text frames, `kari.v1.proto` the same messages in binary ones.
Pure.
"""

import json
from contextlib import suppress
from enum import StrEnum
from json.encoder import encode_basestring
from typing import Any

from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from gateway.event_json import event_json, json_text
from kari.edge.v1.frames_pb2 import ClientFrame, ServerFrame
from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.errors import InvalidRequest, KariError
from servers.runtime.ids import new_correlation_id
from servers.runtime.interceptors.correlation import accepted_id
from servers.runtime.interceptors.validation import validate

LONGEST_ID = 100


class Encoding(StrEnum):
    """Subprotocols, by the name that the upgrade negotiates."""

    JSON = "kari.v1.json"
    PROTO = "kari.v1.proto"


class Refused(Exception):
    """A frame that is none of the contract, with as much of its sender's ids as was readable."""

    def __init__(self, error: KariError, frame_id: str, correlation_id: str) -> None:
        super().__init__(error.message)
        self.error = error
        self.frame_id = frame_id
        self.correlation_id = correlation_id


def decode(data: str | bytes, encoding: Encoding, max_bytes: int) -> ClientFrame:
    """The frame in `data`, valid by every rule of the contract; Refused otherwise."""
    raw = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
    if len(raw) > max_bytes:
        raise Refused(_too_large(len(raw), max_bytes), "", new_correlation_id())
    if isinstance(data, str) != (encoding is Encoding.JSON):
        wanted = "text" if encoding is Encoding.JSON else "binary"
        raise Refused(_no_frame(f"{encoding} takes {wanted} frames"), "", new_correlation_id())
    return _decode_json(raw) if encoding is Encoding.JSON else _decode_binary(raw)


def encode(frame: ServerFrame, encoding: Encoding) -> str | bytes:
    """The frame as it travels."""
    if encoding is Encoding.PROTO:
        return frame.SerializeToString()
    return _around_event(frame) if frame.HasField("turn_event") else json_text(frame)


def _around_event(frame: ServerFrame) -> str:
    """Only the ids are the socket's own."""
    ids = ""
    if frame.id:
        ids = f'"id":{encode_basestring(frame.id)},'
    if frame.correlation_id:
        ids += f'"correlationId":{encode_basestring(frame.correlation_id)},'
    return f'{{{ids}"turnEvent":{event_json(frame.turn_event)}}}'


def _decode_json(raw: bytes) -> ClientFrame:
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        raise Refused(_no_frame("the frame is not JSON"), "", new_correlation_id()) from None
    if not isinstance(value, dict):
        raise Refused(_no_frame("the frame is no JSON object"), "", new_correlation_id())
    frame = ClientFrame()
    try:
        json_format.ParseDict(value, frame)
    except (json_format.ParseError, ValueError, TypeError, RecursionError):
        raise Refused(_wrong_json(value), *_ids(value)) from None
    return _checked(frame)


def _decode_binary(raw: bytes) -> ClientFrame:
    try:
        frame = ClientFrame.FromString(raw)
    except DecodeError:
        error = _no_frame("the frame is no `kari.edge.v1.ClientFrame`")
        raise Refused(error, "", new_correlation_id()) from None
    return _checked(frame)


def _checked(frame: ClientFrame) -> ClientFrame:
    ids = _ids({"id": frame.id, "correlationId": frame.correlation_id})
    if frame.WhichOneof("kind") is None:
        raise Refused(_no_frame("the frame is of no known kind"), *ids)
    try:
        validate(frame)
    except InvalidRequest as error:
        raise Refused(error, *ids) from None
    frame.correlation_id = ids[1]
    return frame


def _ids(value: dict[str, Any]) -> tuple[str, str]:
    """Id and correlation id, where they are such; a missing correlation id is made."""
    frame_id = value.get("id")
    known = isinstance(frame_id, str) and len(frame_id) <= LONGEST_ID and _is_text(frame_id)
    given = value.get("correlationId", value.get("correlation_id"))
    return (
        str(frame_id) if known else "",
        accepted_id(given if isinstance(given, str) else ""),
    )


def _is_text(value: str) -> bool:
    with suppress(UnicodeEncodeError):
        value.encode()
        return True
    return False


def _wrong_json(value: dict[str, Any]) -> InvalidRequest:
    """Says which field could not be read; one directly in the frame makes it no frame at all."""
    path = _unreadable(value, ClientFrame.DESCRIPTOR)
    if len(path) > 1:
        field = ".".join(path)
        description = "is no field of the contract, or its value is of the wrong type"
        return InvalidRequest(
            Reason.REASON_FIELD_INVALID,
            f"`{field}` {description}",
            violations=[(field, description)],
        )
    if path and path[0] not in ClientFrame.DESCRIPTOR.fields_by_name:
        return _no_frame("the frame has a field or kind that the contract does not know", path[0])
    return _no_frame("the frame is none of the contract", *path)


def _unreadable(value: dict[str, Any], kind: Descriptor) -> list[str]:
    """Path of the first field that cannot be read by itself; empty if each of them can."""
    for name, inner in value.items():
        field = _field(kind, name)
        if field is None:
            return [_printable(name)]
        if not _reads({name: inner}, kind):
            nested: Descriptor | None = field.message_type
            deeper = _unreadable(inner, nested) if nested and isinstance(inner, dict) else []
            return [field.name, *deeper]
    return []


def _field(kind: Descriptor, name: str) -> FieldDescriptor | None:
    for field in kind.fields:
        if name in (field.name, field.json_name):
            return field
    return None


def _reads(value: dict[str, Any], kind: Descriptor) -> bool:
    message: Message = GetMessageClass(kind)()
    with suppress(json_format.ParseError, ValueError, TypeError, RecursionError):
        json_format.ParseDict(value, message)
        return True
    return False


def _printable(name: str) -> str:
    return name.encode("ascii", "replace").decode()[:LONGEST_ID]


def _no_frame(message: str, field: str = "") -> InvalidRequest:
    violations = [(field, "is not known here")] if field else []
    return InvalidRequest(Reason.REASON_FRAME_INVALID, message, violations=violations)


def _too_large(size: int, limit: int) -> InvalidRequest:
    return InvalidRequest(
        Reason.REASON_TOO_LARGE,
        f"the frame has {size} bytes; {limit} are allowed",
        limit=limit,
        size=size,
    )
