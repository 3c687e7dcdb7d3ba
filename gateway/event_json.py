"""Events of turns as JSON, which most frames are.

A piece of text comes once for each reader and many times a turn: `json_format` takes 13
microseconds for its frame, written down field by field it is 2. Every other event is made once for
all the sockets that it goes to. Known by its content, and not by its place in the stream: two
readers may get the same deltas joined differently. Pure.
"""

import json
from datetime import UTC, datetime
from functools import lru_cache
from json.encoder import encode_basestring

from google.protobuf import json_format
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from kari.conversation_models.v1.turn_pb2 import TurnEvent

REMEMBERED = 256
REMEMBERED_BYTES = 16_384
"""Larger events are made anew, so that what is remembered stays under a few megabytes."""


def event_json(event: TurnEvent) -> str:
    """An event as compact proto3 JSON."""
    if event.WhichOneof("event") == "delta":
        return _delta(event) or json_text(event)
    serialized = event.SerializeToString()
    return _known(serialized) if len(serialized) <= REMEMBERED_BYTES else json_text(event)


def json_text(message: Message) -> str:
    """Any message as compact proto3 JSON."""
    value = json_format.MessageToDict(message)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


@lru_cache(REMEMBERED)
def _known(serialized: bytes) -> str:
    return json_text(TurnEvent.FromString(serialized))


def _delta(event: TurnEvent) -> str | None:
    """None if a field is unset: that is written differently."""
    place, text, correlation_id = event.position, event.delta.text, event.correlation_id
    stream_id, epoch, seq = place.stream_id, place.epoch, place.seq
    created_at = _time(event.created_at)
    if not (text and correlation_id and stream_id and epoch and seq and created_at):
        return None
    return (
        f'{{"position":{{"streamId":{encode_basestring(stream_id)},'
        f'"epoch":"{epoch}","seq":"{seq}"}},'
        f'"correlationId":{encode_basestring(correlation_id)},"createdAt":"{created_at}",'
        f'"delta":{{"text":{encode_basestring(text)}}}}}'
    )


def _time(at: Timestamp) -> str:
    """As JSON has it, with no more digits than needed in threes; empty if unset or unusual."""
    seconds, nanos = at.seconds, at.nanos
    if not (0 < seconds < 2**32 and 0 <= nanos < 1_000_000_000):
        return ""
    if nanos % 1_000:
        return f"{_second(seconds)}.{nanos:09}Z"
    if nanos % 1_000_000:
        return f"{_second(seconds)}.{nanos // 1_000:06}Z"
    return f"{_second(seconds)}.{nanos // 1_000_000:03}Z" if nanos else f"{_second(seconds)}Z"


@lru_cache(256)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()[:19]
