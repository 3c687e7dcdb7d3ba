"""Frames as JSON are what `json_format` says, however they are made."""

import json

from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st

from gateway.event_json import REMEMBERED_BYTES, event_json
from gateway.frames import Encoding, encode
from kari.conversation_models.v1.turn_pb2 import TurnEvent
from kari.edge.v1.frames_pb2 import ServerFrame
from tests.gateway.any_message import fill

KINDS = st.sampled_from([field.name for field in ServerFrame.DESCRIPTOR.oneofs[0].fields])


@st.composite
def frames(draw: st.DrawFn) -> ServerFrame:
    """Frames of every kind."""
    frame, kind = ServerFrame(), draw(KINDS)
    getattr(frame, kind).SetInParent()
    fill(draw, getattr(frame, kind))
    frame.id, frame.correlation_id = draw(st.text(max_size=5)), draw(st.sampled_from(["", "c.1"]))
    return frame


@st.composite
def deltas(draw: st.DrawFn) -> ServerFrame:
    """Frames with a piece of text, mostly with every field set."""
    frame = ServerFrame(id=draw(st.sampled_from(["", "f1", 'a"b'])), correlation_id="c")
    event, full = frame.turn_event, draw(st.integers(0, 3)) > 0
    for field in event.DESCRIPTOR.fields:
        if field.containing_oneof is None and field.message_type:
            fill(draw, getattr(event, field.name), full=full)
    event.correlation_id = draw(st.text(max_size=5))
    fill(draw, event.delta, full=full)
    event.delta.SetInParent()
    return frame


def said(frame: ServerFrame) -> str:
    value = json_format.MessageToDict(frame)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


@given(frames())
def test_every_frame_is_what_json_format_says(frame: ServerFrame) -> None:
    """Byte for byte, twice: the second time some of it is remembered."""
    assert encode(frame, Encoding.JSON) == said(frame) == encode(frame, Encoding.JSON)


@given(deltas())
def test_every_delta_is_what_json_format_says(frame: ServerFrame) -> None:
    """With any of its fields unset, too."""
    assert encode(frame, Encoding.JSON) == said(frame)


@given(frames())
def test_every_binary_frame_is_the_message(frame: ServerFrame) -> None:
    """Nothing is lost or added."""
    binary = encode(frame, Encoding.PROTO)
    assert isinstance(binary, bytes)
    assert ServerFrame.FromString(binary) == frame


def test_an_event_is_known_by_what_it_says() -> None:
    """Two readers' joined deltas may have the same place and other text."""
    short, long = TurnEvent(), TurnEvent()
    for event, text in ((short, "b"), (long, "ab")):
        event.position.seq, event.reasoning.text = 2, text
    texts = [json.loads(event_json(event))["reasoning"]["text"] for event in (short, long, short)]
    assert texts == ["b", "ab", "b"]


def test_a_large_event_is_not_remembered_and_still_right() -> None:
    """It would crowd out the others."""
    event = TurnEvent()
    event.completed.message.content = "x" * REMEMBERED_BYTES
    assert json.loads(event_json(event)) == json_format.MessageToDict(event)
