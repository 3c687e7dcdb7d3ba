"""What callers ask of their memories goes through the hub as it is."""

from contextlib import suppress

import grpc
import pytest
from google.protobuf.message import Message

from kari.chat_hub.v1 import chat_hub_pb2 as pb
from kari.conversation_manager.v1 import conversation_manager_pb2 as conversations
from kari.conversation_models.v1.memory_pb2 import MemoryKind, MemoryScope, RememberOutcome
from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.errors import from_rpc
from servers.runtime.ids import new_id
from tests.chat_hub.conftest import House

SEMANTIC = MemoryKind.MEMORY_KIND_SEMANTIC
ASKED = {
    "Remember": {
        "request_id": "req-1",
        "content": "I like tea",
        "kind": SEMANTIC,
        "importance": 7,
        "scope": MemoryScope.MEMORY_SCOPE_DOMAIN,
        "conversation_id": "conv_" + 32 * "1",
        "evidence_message_ids": ["msg_" + 32 * "1", "msg_" + 32 * "2"],
    },
    "ListMemories": {
        "scope": MemoryScope.MEMORY_SCOPE_DOMAIN,
        "kinds": [SEMANTIC],
        "include_past": True,
        "page_size": 7,
        "page_token": "there",
    },
    "CorrectMemory": {"request_id": "r", "memory_id": "mem_" + 32 * "1", "content": "better"},
    "ForgetMemories": {"request_id": "r", "memory_ids": ["mem_" + 32 * "1"]},
    "GetForgetReceipt": {"receipt_id": "rcpt_" + 32 * "1"},
}
"""Requests with every field of the contract."""


def asked(method: str, contract: object) -> Message:
    """The request of a method."""
    request: Message = getattr(contract, f"{method}Request")(**ASKED[method])
    assert {field.name for field, _ in request.ListFields()} == set(
        request.DESCRIPTOR.fields_by_name
    )
    return request


@pytest.mark.parametrize("method", ASKED)
async def test_all_that_is_asked_reaches_the_conversation_manager(
    house: House, method: str
) -> None:
    with suppress(grpc.aio.AioRpcError):  # some ask for what is not there
        await getattr(house.stub, method)(asked(method, pb))
    assert house.conversations.asked == [asked(method, conversations)]


async def test_all_that_is_answered_comes_back(house: House) -> None:
    """From what is remembered to the receipt of its end."""
    stub = house.stub
    kept = await stub.Remember(pb.RememberRequest(request_id="r1", content="I like tea"))
    assert kept.outcome == RememberOutcome.REMEMBER_OUTCOME_STORED
    assert not kept.HasField("replaced")
    correction = pb.CorrectMemoryRequest(
        request_id="r2", memory_id=kept.memory.id, content="I like coffee"
    )
    corrected = await stub.CorrectMemory(correction)
    assert (corrected.memory.content, corrected.replaced.id) == ("I like coffee", kept.memory.id)
    listed = await stub.ListMemories(pb.ListMemoriesRequest(include_past=True, page_size=1))
    assert [memory.id for memory in listed.memories] == [corrected.memory.id]
    assert listed.next_page_token == "more"  # a place in a list
    forgetting = pb.ForgetMemoriesRequest(request_id="r3", memory_ids=[corrected.memory.id])
    receipt = (await stub.ForgetMemories(forgetting)).receipt
    assert receipt.erasures[0].done
    again = await stub.GetForgetReceipt(pb.GetForgetReceiptRequest(receipt_id=receipt.id))
    assert again.receipt == receipt


async def test_what_is_not_worth_it_comes_back_without_a_memory(house: House) -> None:
    """An unset field stays unset."""
    request = pb.RememberRequest(request_id="r1", content="I like tea")
    await house.stub.Remember(request)
    request.request_id = "r2"
    known = await house.stub.Remember(request)
    assert known.outcome == RememberOutcome.REMEMBER_OUTCOME_DUPLICATE
    assert not known.HasField("replaced")


async def test_memories_of_somebody_else_are_not_there(house: House) -> None:
    kept = await house.stub.Remember(pb.RememberRequest(request_id="r1", content="I like tea"))
    with house.mesh.user():
        for call in (
            house.stub.ForgetMemories(
                pb.ForgetMemoriesRequest(request_id="r2", memory_ids=[kept.memory.id])
            ),
            house.stub.CorrectMemory(
                pb.CorrectMemoryRequest(request_id="r3", memory_id=kept.memory.id, content="x")
            ),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await call
            assert from_rpc(refused.value).reason == Reason.REASON_MEMORY_NOT_FOUND


@pytest.mark.parametrize("method", ASKED)
async def test_nobody_asks_without_a_role(house: House, method: str) -> None:
    with house.mesh.user(roles=frozenset()), pytest.raises(grpc.aio.AioRpcError) as refused:
        await getattr(house.stub, method)(asked(method, pb))
    assert refused.value.code() == grpc.StatusCode.PERMISSION_DENIED
    assert not house.conversations.asked


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (pb.RememberRequest(content="x"), "request_id"),
        (pb.RememberRequest(request_id="r"), "content"),
        (pb.RememberRequest(request_id="r", content="x" * 2001), "content"),
        (pb.ForgetMemoriesRequest(request_id="r"), "memory_ids"),
        (pb.ForgetMemoriesRequest(request_id="r", memory_ids=[new_id("msg")]), "memory_ids[0]"),
        (pb.CorrectMemoryRequest(request_id="r", memory_id="x", content="x"), "memory_id"),
        (pb.GetForgetReceiptRequest(receipt_id="x"), "receipt_id"),
    ],
)
async def test_a_wrong_field_is_named(house: House, request_: Message, field: str) -> None:
    method = request_.DESCRIPTOR.name.removesuffix("Request")
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await getattr(house.stub, method)(request_)
    assert [name for name, _ in from_rpc(refused.value).violations] == [field]
    assert not house.conversations.asked
