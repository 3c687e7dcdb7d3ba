"""Memories through the conversation manager, with the production memory that keeps them."""

from typing import Any

import pytest

from kari.conversation_manager.v1 import conversation_manager_pb2 as contract
from kari.conversation_models.v1.memory_pb2 import Memory, MemoryScope, RememberOutcome
from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.ids import new_id
from tests.conversation_manager.manager import Manager
from tests.production_memory.memory import refusal

DOMAIN = MemoryScope.MEMORY_SCOPE_DOMAIN
TEA, COFFEE = "I drink green tea every morning", "I drink black coffee every morning"


def statement(content: str = TEA, **fields: Any) -> contract.RememberRequest:
    return contract.RememberRequest(**{"request_id": new_id("req"), "content": content} | fields)


def correction(memory_id: str) -> contract.CorrectMemoryRequest:
    return contract.CorrectMemoryRequest(
        request_id=new_id("req"), memory_id=memory_id, content=COFFEE
    )


def forgetting(*memory_ids: str) -> contract.ForgetMemoriesRequest:
    return contract.ForgetMemoriesRequest(request_id=new_id("req"), memory_ids=memory_ids)


async def kept(manager: Manager, **fields: Any) -> Memory:
    return (await manager.stub.Remember(statement(**fields))).memory


async def memories(manager: Manager, **fields: Any) -> list[str]:
    response = await manager.stub.ListMemories(contract.ListMemoriesRequest(**fields))
    return [memory.id for memory in response.memories]


async def test_something_is_remembered_corrected_and_forgotten(manager: Manager) -> None:
    """The receipt names both versions, and can be looked at again."""
    stored = await manager.stub.Remember(statement())
    assert stored.outcome == RememberOutcome.REMEMBER_OUTCOME_STORED
    corrected = await manager.stub.CorrectMemory(correction(stored.memory.id))
    assert (corrected.memory.content, corrected.replaced.id) == (COFFEE, stored.memory.id)
    assert await memories(manager) == [corrected.memory.id]
    both = await memories(manager, include_past=True)
    assert set(both) == {corrected.memory.id, stored.memory.id}
    receipt = (await manager.stub.ForgetMemories(forgetting(corrected.memory.id))).receipt
    assert set(receipt.memory_ids) == set(both)
    request = contract.GetForgetReceiptRequest(receipt_id=receipt.id)
    again = (await manager.stub.GetForgetReceipt(request)).receipt
    assert set(again.memory_ids) == set(both)
    assert await memories(manager, include_past=True) == []


async def test_a_repeated_request_remembers_once(manager: Manager) -> None:
    request = statement()
    first = await manager.stub.Remember(request)
    second = await manager.stub.Remember(request)
    assert first.memory.id == second.memory.id
    assert await memories(manager) == [first.memory.id]


async def test_memories_come_in_pages(manager: Manager) -> None:
    ids = [await kept(manager, content=f"My friend number {n} is called {n}ella") for n in range(3)]
    page = await manager.stub.ListMemories(contract.ListMemoriesRequest(page_size=2))
    rest = await memories(manager, page_size=2, page_token=page.next_page_token)
    listed = [*(memory.id for memory in page.memories), *rest]
    assert listed == [memory.id for memory in reversed(ids)]


async def test_evidence_is_kept_where_the_caller_takes_part(manager: Manager) -> None:
    made = await manager.create()
    answer = (await manager.memory(made.id).exchange("question", "answer")).answer
    memory = await kept(manager, conversation_id=made.id, evidence_message_ids=[answer.id])
    assert memory.conversation_id == made.id
    assert list(memory.evidence_message_ids) == [answer.id]


async def test_evidence_of_others_is_refused_and_nothing_is_remembered(manager: Manager) -> None:
    """Whether the conversation is named or only its messages."""
    made, colleague = await manager.create(), manager.colleague()
    answer = (await manager.memory(made.id).exchange("question", "answer")).answer
    with colleague.somebody.acts(colleague.wiring):
        own = await colleague.create()
        for fields, reason in (
            ({"conversation_id": made.id}, Reason.REASON_CONVERSATION_NOT_FOUND),
            (
                {"conversation_id": made.id, "evidence_message_ids": [answer.id]},
                Reason.REASON_CONVERSATION_NOT_FOUND,
            ),
            (
                {"conversation_id": own.id, "evidence_message_ids": [answer.id]},
                Reason.REASON_MESSAGE_NOT_FOUND,
            ),
            ({"evidence_message_ids": [answer.id]}, Reason.REASON_CONVERSATION_NOT_FOUND),
        ):
            refused = await refusal(colleague.stub.Remember(statement(**fields)))
            assert refused.reason == reason
        assert await memories(colleague, include_past=True) == []


@pytest.mark.parametrize("tenant", ["the same", "another"])
async def test_nobody_else_sees_or_touches_a_memory(manager: Manager, tenant: str) -> None:
    """Nor its receipt; it stays as it was."""
    changes = {"tenant_id": new_id("tenant")} if tenant == "another" else {}
    memory, stranger = await kept(manager), manager.colleague(**changes)
    gone = await kept(manager, content="My cat is called Minka")
    receipt = (await manager.stub.ForgetMemories(forgetting(gone.id))).receipt
    with stranger.somebody.acts(stranger.wiring):
        assert await memories(stranger, include_past=True) == []
        own = await kept(stranger)
        for call in (
            stranger.stub.CorrectMemory(correction(memory.id)),
            stranger.stub.ForgetMemories(forgetting(memory.id)),
            stranger.stub.ForgetMemories(forgetting(own.id, memory.id)),
        ):
            assert (await refusal(call)).reason == Reason.REASON_MEMORY_NOT_FOUND
        assert await memories(stranger) == [own.id]
        request = contract.GetForgetReceiptRequest(receipt_id=receipt.id)
        refused = await refusal(stranger.stub.GetForgetReceipt(request))
        assert refused.reason == Reason.REASON_RECEIPT_NOT_FOUND
    assert await memories(manager, include_past=True) == [memory.id]


async def test_the_domain_is_taught_by_editors_and_read_by_all(manager: Manager) -> None:
    """Of the tenant."""
    taught = await kept(manager, content="Our support hours are nine to five", scope=DOMAIN)
    plain = manager.colleague(roles=frozenset({"chat.user"}))
    with plain.somebody.acts(plain.wiring):
        refused = await refusal(plain.stub.Remember(statement(scope=DOMAIN)))
        assert refused.reason == Reason.REASON_ROLE_MISSING
        assert await memories(plain, scope=DOMAIN) == [taught.id]
        assert await memories(plain) == []
    stranger = manager.colleague(tenant_id=new_id("tenant"))
    with stranger.somebody.acts(stranger.wiring):
        assert await memories(stranger, scope=DOMAIN) == []
