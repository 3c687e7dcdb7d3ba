"""Both subprotocols, without a socket."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.frames import Encoding, Refused, decode, encode
from kari.edge.v1.frames_pb2 import ClientFrame, ServerFrame
from kari.errors.v1.errors_pb2 import Reason

LIMIT = 1_000_000
NAMES = st.sampled_from([field.name for field in ClientFrame.DESCRIPTOR.fields])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | NAMES, inner),
    max_leaves=20,
)


def refusal(data: str | bytes, encoding: Encoding = Encoding.JSON) -> Refused:
    with pytest.raises(Refused) as found:
        decode(data, encoding, LIMIT)
    return found.value


@given(st.text() | st.binary(), st.sampled_from(Encoding))
def test_whatever_comes_is_a_frame_or_refused(data: str | bytes, encoding: Encoding) -> None:
    """Nothing else leaves `decode`."""
    with suppress(Refused):
        decode(data, encoding, LIMIT)


@given(st.dictionaries(st.text() | NAMES, VALUES))
def test_whatever_json_comes_is_a_frame_or_refused(value: dict[str, object]) -> None:
    """Objects of the right names and wrong shapes too."""
    with suppress(Refused):
        decode(json.dumps(value), Encoding.JSON, LIMIT)


@given(st.text(min_size=1, max_size=100), st.text(min_size=1, max_size=2000))
def test_a_frame_means_the_same_in_both_subprotocols(frame_id: str, content: str) -> None:
    """What JSON says, the binary form says."""
    asked = {"content": content, "requestId": "r1"}
    text = json.dumps({"id": frame_id, "correlationId": "c1", "sendMessage": asked})
    frame = decode(text, Encoding.JSON, LIMIT)
    assert decode(frame.SerializeToString(), Encoding.PROTO, LIMIT) == frame


@pytest.mark.parametrize(
    ("text", "reason", "frame_id"),
    [
        ("{", Reason.REASON_FRAME_INVALID, ""),
        ("[1]", Reason.REASON_FRAME_INVALID, ""),
        ("[" * 100_000, Reason.REASON_FRAME_INVALID, ""),
        ('{"id":"a"}', Reason.REASON_FRAME_INVALID, "a"),
        ('{"id":"a","dance":{}}', Reason.REASON_FRAME_INVALID, "a"),
        ('{"id":"a","typing":3}', Reason.REASON_FRAME_INVALID, "a"),
        ('{"id":7,"commands":{}}', Reason.REASON_FRAME_INVALID, ""),
        ('{"id":"a","typing":{},"commands":{}}', Reason.REASON_FRAME_INVALID, "a"),
        ('{"id":"a","sendMessage":{"content":3}}', Reason.REASON_FIELD_INVALID, "a"),
        (
            '{"id":"a","sendMessage":{"content":"","requestId":"r"}}',
            Reason.REASON_FIELD_INVALID,
            "a",
        ),
    ],
)
def test_what_is_wrong_is_said_under_the_frames_id(
    text: str, reason: Reason.ValueType, frame_id: str
) -> None:
    """The id is repeated wherever it can be read."""
    refused = refusal(text)
    assert (refused.error.reason, refused.frame_id) == (reason, frame_id)


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ({"sendMessage": {"content": 3, "requestId": "r"}}, "send_message.content"),
        ({"sendMessage": {"color": "red"}}, "send_message.color"),
        ({"sendMessage": {"content": "x" * 200_000, "requestId": "r"}}, "send_message.content"),
        ({"sendMessage": {"content": "", "requestId": "r"}}, "send_message.content"),
        ({"resume": {"after": {"seq": []}}}, "resume.after.seq"),
        ({"presence": {"conversationIds": ["x"]}}, "presence.conversation_ids[0]"),
        ({"search": {"query": 7}}, "search.query"),
        ({"search": {"query": "x" * 2001}}, "search.query"),
        ({"search": {"query": "a\0b"}}, "search.query"),
        ({"search": {"pageSize": -1}}, "search.page_size"),
        ({"search": {"way": 9}}, "search.way"),
        ({"search": {"filter": {"conversationId": "x"}}}, "search.filter.conversation_id"),
        ({"search": {"filter": {"since": "yesterday"}}}, "search.filter.since"),
        ({"search": {"filter": {"roles": ["KING"]}}}, "search.filter.roles"),
    ],
)
def test_a_wrong_field_is_named_by_its_path(kind: dict[str, object], path: str) -> None:
    """Clients can show the error where it belongs."""
    refused = refusal(json.dumps({"id": "a", **kind}))
    assert refused.error.violations[0][0] == path


def test_a_frame_over_the_limit_is_refused_with_the_limit() -> None:
    """It is measured in bytes."""
    with pytest.raises(Refused) as found:
        decode('{"id":"ä"}' + " " * 90, Encoding.JSON, 100)
    assert found.value.error.reason == Reason.REASON_TOO_LARGE
    assert found.value.error.details == {"limit": "100", "size": "101"}


@pytest.mark.parametrize(
    ("data", "encoding"),
    [("{}", Encoding.PROTO), (b"{}", Encoding.JSON), (b"\xff", Encoding.PROTO)],
)
def test_frames_of_the_other_kind_are_refused(data: str | bytes, encoding: Encoding) -> None:
    """Text is JSON, binary is protobuf."""
    assert refusal(data, encoding).error.reason == Reason.REASON_FRAME_INVALID


def test_a_given_correlation_id_is_kept_and_a_missing_one_made() -> None:
    """Every frame has one from here on."""
    kept = decode('{"id":"a","correlationId":"c.1","commands":{}}', Encoding.JSON, LIMIT)
    made = decode('{"id":"a","commands":{}}', Encoding.JSON, LIMIT)
    assert kept.correlation_id == "c.1"
    assert len(made.correlation_id) == 32


def test_server_frames_are_proto3_json_in_text_frames() -> None:
    """And the same message in binary ones."""
    frame = ServerFrame(id="a", correlation_id="c")
    frame.ack.conversation_id = "ü"
    assert encode(frame, Encoding.JSON) == (
        '{"id":"a","correlationId":"c","ack":{"conversationId":"ü"}}'
    )
    binary = encode(frame, Encoding.PROTO)
    assert isinstance(binary, bytes)
    assert ServerFrame.FromString(binary) == frame
