"""Frames of the gateway as callers see them, in both subprotocols. Pure.

Of JSON only what a caller looks at is decoded, by a decoder that knows it beforehand.
"""

import secrets
from typing import Any

import msgspec

from kari.chat_hub.v1.chat_hub_pb2 import SendMessageRequest
from kari.edge.v1.frames_pb2 import ClientFrame, ServerFrame
from tests.load.websocket import JSON


class Delta(msgspec.Struct):
    """A piece of text."""

    text: str = ""


class Message(msgspec.Struct):
    """A committed message."""

    content: str = ""


class Completed(msgspec.Struct):
    """The committed answer."""

    message: Message = msgspec.field(default_factory=Message)


class TurnEvent(msgspec.Struct, rename="camel"):
    """What a caller looks at in the events of a turn."""

    delta: Delta | None = None
    completed: Completed | None = None
    failed: dict[str, Any] | None = None
    cancelled: dict[str, Any] | None = None


class Ack(msgspec.Struct, rename="camel"):
    """The frame was taken."""

    conversation_id: str = ""


class Error(msgspec.Struct):
    """Something went wrong."""

    message: str = ""


class Frame(msgspec.Struct, rename="camel"):
    """What a caller looks at in the frames of the gateway."""

    id: str = ""
    welcome: dict[str, Any] | None = None
    ack: Ack | None = None
    turn_event: TurnEvent | None = None
    error: Error | None = None


_FRAMES = msgspec.json.Decoder(Frame)


def decoded(message: bytes, subprotocol: str) -> Frame:
    """A frame of the gateway."""
    return _FRAMES.decode(message) if subprotocol == JSON else _of_binary(message)


def asked(frame_id: str, conversation_id: str, content: str, subprotocol: str) -> bytes:
    """A frame that sends a message; no conversation begins a new one."""
    request_id = secrets.token_hex(8)
    if subprotocol == JSON:
        fields = {"content": content, "requestId": request_id}
        message = {**fields, **({"conversationId": conversation_id} if conversation_id else {})}
        return msgspec.json.encode({"id": frame_id, "sendMessage": message})
    request = SendMessageRequest(
        conversation_id=conversation_id, content=content, request_id=request_id
    )
    return ClientFrame(id=frame_id, send_message=request).SerializeToString()


def _of_binary(message: bytes) -> Frame:
    frame = ServerFrame.FromString(message)
    match frame.WhichOneof("kind"):
        case "turn_event":
            return Frame(frame.id, turn_event=_of_event(frame.turn_event))
        case "ack":
            return Frame(frame.id, ack=Ack(frame.ack.conversation_id))
        case "welcome":
            return Frame(frame.id, welcome={})
        case "error":
            return Frame(frame.id, error=Error(frame.error.message))
    return Frame(frame.id)


def _of_event(event: Any) -> TurnEvent:
    match event.WhichOneof("event"):
        case "delta":
            return TurnEvent(delta=Delta(event.delta.text))
        case "completed":
            return TurnEvent(completed=Completed(Message(event.completed.message.content)))
        case "failed":
            return TurnEvent(failed={})
        case "cancelled":
            return TurnEvent(cancelled={})
    return TurnEvent()
