"""The contract's rules, before any servicer sees a request."""

from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from kari.chat_hub.v1.chat_hub_pb2 import GetConversationRequest, SendMessageRequest
from kari.conversation_manager.v1.conversation_manager_pb2 import UpdateConversationRequest
from kari.conversation_models.v1.conversation_pb2 import ConversationChange, ConversationMode
from servers.runtime.errors import InvalidRequest, envelope_of
from servers.runtime.interceptors.validation import validate
from tests.runtime.mesh import CONVERSATION, Mesh


async def test_a_wrong_field_is_named_to_the_client(mesh: Mesh) -> None:
    """In the envelope and in the standard BadRequest; the servicer is not asked."""
    asked = []

    async def answer(request: Any) -> None:
        asked.append(request)

    mesh.hub.answer = answer
    stub = await mesh.user_stub()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.GetConversation(
            GetConversationRequest(conversation_id="x"), metadata=mesh.as_user()
        )
    envelope = envelope_of(caught.value)
    assert envelope is not None
    assert [v.field for v in envelope.violations] == ["conversation_id"]
    bad = error_details_pb2.BadRequest()
    assert rpc_status.from_call(caught.value).details[2].Unpack(bad)
    assert bad.field_violations[0].field == "conversation_id"
    assert asked == []


def violations(message: Any) -> list[str]:
    with pytest.raises(InvalidRequest) as caught:
        validate(message)
    return [field for field, _ in caught.value.violations]


def test_every_wrong_field_is_named_by_its_path() -> None:
    """Also inside lists."""
    changes = [
        ConversationChange(title="fine"),
        ConversationChange(mode=ConversationMode.CONVERSATION_MODE_UNSPECIFIED),
        ConversationChange(title="x" * 500),
    ]
    request = UpdateConversationRequest(conversation_id="x", request_id="1", changes=changes)
    assert sorted(violations(request)) == ["changes[1].mode", "changes[2].title", "conversation_id"]


def test_what_a_field_held_is_not_repeated() -> None:
    """Messages of errors are logged; what people wrote is not."""
    with pytest.raises(InvalidRequest) as caught:
        validate(GetConversationRequest(conversation_id="hunter2"))
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in str(caught.value.violations)


def test_a_good_message_passes() -> None:
    validate(GetConversationRequest(conversation_id=CONVERSATION))


async def test_a_huge_list_is_refused_for_one_reason(mesh: Mesh) -> None:
    """Its length; nobody looks at each of its items, and nobody is told of each."""
    stub = await mesh.user_stub()
    request = SendMessageRequest(content="x", request_id="r", mentioned_user_ids=["x"] * 100_000)
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await stub.SendMessage(request, metadata=mesh.as_user())
    envelope = envelope_of(refusal.value)
    assert envelope is not None
    assert [v.field for v in envelope.violations] == ["mentioned_user_ids"]
