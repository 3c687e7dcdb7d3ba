"""Conversations are begun once, and seen by those who take part."""

import asyncio

from kari.conversation_manager.v1 import conversation_manager_pb2 as contract
from kari.conversation_models.v1.conversation_pb2 import (
    ContextSnapshot,
    ConversationChange,
    ConversationMode,
)
from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.ids import new_id
from tests.conversation_manager.manager import Manager
from tests.hosting import Somebody
from tests.production_memory.memory import refusal


async def test_a_new_conversation_has_its_creator_as_only_participant(manager: Manager) -> None:
    made = await manager.create("Plans")
    assert made.participant_ids == [manager.somebody.user_id]
    assert made.tenant_id == manager.somebody.tenant_id
    assert (made.title, made.version) == ("Plans", 1)
    assert made.mode == ConversationMode.CONVERSATION_MODE_CHAT
    assert await manager.get(made.id) == made


async def test_creating_again_gives_the_first_one(manager: Manager) -> None:
    """Also when both requests are under way at once, as after a client's impatient retry."""
    made = await asyncio.gather(*(manager.create("Plans", "req-1") for _ in range(8)))
    assert len({conversation.id for conversation in made}) == 1
    assert len((await manager.page()).conversations) == 1


async def test_a_used_request_id_cannot_make_another_conversation(manager: Manager) -> None:
    await manager.create("Plans", "req-1")
    refused = await refusal(manager.create("Other plans", "req-1"))
    assert refused.reason == Reason.REASON_REQUEST_ID_REUSED


async def test_others_are_not_told_that_a_conversation_exists(manager: Manager) -> None:
    """Neither a colleague who takes no part, nor anybody of another tenant, whatever their role."""
    made = await manager.create()
    colleague = manager.colleague()
    stranger = Manager(manager.wiring, Somebody(roles=frozenset({"chat.admin"})))
    for other in (colleague, stranger):
        with other.somebody.acts(other.wiring):
            refused = await refusal(other.get(made.id))
            assert refused.reason == Reason.REASON_CONVERSATION_NOT_FOUND
            change = ConversationChange(title="mine")
            assert await refusal(other.update(made.id, change)) is not None
            assert (await other.page()).conversations == []


async def test_the_list_has_the_latest_conversation_first(manager: Manager) -> None:
    first, second = await manager.create("first"), await manager.create("second")
    assert [c.title for c in (await manager.page()).conversations] == ["second", "first"]
    await manager.update(first.id, ConversationChange(title="first, renamed"))
    assert [c.id for c in (await manager.page()).conversations] == [first.id, second.id]


async def test_pages_of_the_list_join_without_gap_or_repetition(manager: Manager) -> None:
    made = [(await manager.create(str(number))).id for number in range(5)]
    seen, token = [], ""
    while True:
        page = await manager.page(page_size=2, page_token=token)
        seen += [conversation.id for conversation in page.conversations]
        if not (token := page.next_page_token):
            break
    assert seen == made[::-1]


async def test_a_forged_page_token_is_refused(manager: Manager) -> None:
    for token in ("rubbish", "WzFd", "WyJhIiwiYiJd", "WzEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzLCAiYSJd"):
        refused = await refusal(manager.page(page_token=token))
        assert refused.reason == Reason.REASON_FIELD_INVALID
        assert refused.violations[0].field == "page_token"


async def test_a_snapshot_is_kept_and_brings_the_conversation_to_the_top(manager: Manager) -> None:
    first, _ = await manager.create("first"), await manager.create("second")
    snapshot = ContextSnapshot(turn_id=new_id("turn"), tokens=120, kept=3, cut=1)
    await manager.stub.RecordSnapshot(
        contract.RecordSnapshotRequest(conversation_id=first.id, snapshot=snapshot)
    )
    latest = (await manager.page()).conversations[0]
    assert (latest.id, latest.context_snapshot) == (first.id, snapshot)
    assert latest.version == first.version
