"""Changes of a request are made together, once, for the version they were meant for, and logged."""

import asyncio

from prometheus_client import REGISTRY

from kari.conversation_models.v1.conversation_pb2 import ConversationChange, ConversationMode
from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.ids import new_id
from tests.conversation_manager.manager import Manager
from tests.hosting import Somebody
from tests.production_memory.memory import refusal

Change = ConversationChange
ANALYSIS = ConversationMode.CONVERSATION_MODE_ANALYSIS


def counted(field: str) -> float:
    name = "kari_chat_conversation_updates_total"
    return REGISTRY.get_sample_value(name, {"field": field}) or 0.0


async def test_all_changes_of_a_request_are_made_and_each_is_a_version(manager: Manager) -> None:
    made = await manager.create()
    changed = await manager.update(made.id, Change(title="Plans"), Change(mode=ANALYSIS))
    assert (changed.title, changed.mode, changed.version) == ("Plans", ANALYSIS, 3)
    assert changed.updated_at.ToNanoseconds() > made.updated_at.ToNanoseconds()
    assert await manager.get(made.id) == changed


async def test_one_change_that_cannot_be_made_keeps_all_from_being_made(manager: Manager) -> None:
    made = await manager.create()
    unpin = Change(unpin_message_id=new_id("msg"))
    refused = await refusal(manager.update(made.id, Change(title="Plans"), unpin))
    assert refused.reason == Reason.REASON_MESSAGE_NOT_FOUND
    assert await manager.get(made.id) == made


async def test_every_change_is_in_the_log_with_its_author(manager: Manager) -> None:
    made = await manager.create()
    with manager.somebody.acts(manager.wiring) as call:
        await manager.update(made.id, Change(title="Plans"), Change(mode=ANALYSIS))
    updates = (await manager.updates(made.id)).updates
    assert [update.version for update in updates] == [3, 2]
    assert [update.change for update in updates] == [Change(mode=ANALYSIS), Change(title="Plans")]
    assert {update.user_id for update in updates} == {manager.somebody.user_id}
    assert {update.correlation_id for update in updates} == {call.correlation_id}


async def test_pages_of_the_log_go_back_to_the_first_change(manager: Manager) -> None:
    made = await manager.create()
    for number in range(3):
        await manager.update(made.id, Change(title=str(number)))
    first = await manager.updates(made.id, page_size=2)
    second = await manager.updates(made.id, page_size=2, page_token=first.next_page_token)
    assert [update.version for update in (*first.updates, *second.updates)] == [4, 3, 2]
    assert second.next_page_token == ""


async def test_changes_meant_for_an_older_version_are_refused(manager: Manager) -> None:
    made = await manager.create()
    await manager.update(made.id, Change(title="mine"), expected_version=1)
    refused = await refusal(manager.update(made.id, Change(title="yours"), expected_version=1))
    assert refused.reason == Reason.REASON_VERSION_CONFLICT
    assert refused.retryable
    assert dict(refused.details) == {"expected": "1", "actual": "2"}


async def test_of_changes_at_once_for_one_version_one_is_made(manager: Manager) -> None:
    made = await manager.create()
    outcomes = await asyncio.gather(
        *(manager.update(made.id, Change(title=str(n)), expected_version=1) for n in range(5)),
        return_exceptions=True,
    )
    assert sum(not isinstance(outcome, Exception) for outcome in outcomes) == 1
    assert (await manager.get(made.id)).version == 2


async def test_repeating_a_request_changes_nothing_more(manager: Manager) -> None:
    """Also when the repetitions are under way at once, and for the version before them."""
    made = await manager.create()
    before = counted("title")
    changes = await asyncio.gather(
        *(
            manager.update(made.id, Change(title="x"), request_id="r1", expected_version=1)
            for _ in range(6)
        )
    )
    assert {changed.version for changed in changes} == {2}
    assert len((await manager.updates(made.id)).updates) == 1
    assert counted("title") == before + 1


async def test_a_used_request_id_cannot_make_other_changes(manager: Manager) -> None:
    made = await manager.create()
    await manager.update(made.id, Change(title="x"), request_id="r1")
    refused = await refusal(manager.update(made.id, Change(title="y"), request_id="r1"))
    assert refused.reason == Reason.REASON_REQUEST_ID_REUSED


async def test_who_is_added_sees_the_conversation_and_who_is_removed_does_not(
    manager: Manager,
) -> None:
    made, colleague = await manager.create(), manager.colleague()
    await manager.update(made.id, Change(add_participant_id=colleague.somebody.user_id))
    with colleague.somebody.acts(colleague.wiring):
        seen = await colleague.get(made.id)
        assert list(seen.participant_ids) == [
            manager.somebody.user_id,
            colleague.somebody.user_id,
        ]
        assert [c.id for c in (await colleague.page()).conversations] == [made.id]
    await manager.update(made.id, Change(remove_participant_id=colleague.somebody.user_id))
    with colleague.somebody.acts(colleague.wiring):
        assert await refusal(colleague.get(made.id))
        assert (await colleague.page()).conversations == []


async def test_a_participant_may_leave(manager: Manager) -> None:
    made, colleague = await manager.create(), manager.colleague()
    await manager.update(made.id, Change(add_participant_id=colleague.somebody.user_id))
    with colleague.somebody.acts(colleague.wiring):
        left = await colleague.update(
            made.id, Change(remove_participant_id=colleague.somebody.user_id)
        )
    assert list(left.participant_ids) == [manager.somebody.user_id]


async def test_somebody_of_another_tenant_who_is_added_still_sees_nothing(
    manager: Manager,
) -> None:
    """There is no arrow to identity: the tenant's boundary is what keeps strangers out."""
    made, stranger = await manager.create(), Manager(manager.wiring, Somebody())
    await manager.update(made.id, Change(add_participant_id=stranger.somebody.user_id))
    with stranger.somebody.acts(stranger.wiring):
        assert (await refusal(stranger.get(made.id))).reason == Reason.REASON_CONVERSATION_NOT_FOUND


async def test_a_message_of_the_conversation_can_be_pinned(manager: Manager) -> None:
    made = await manager.create()
    ended = await manager.memory(made.id).exchange("question", "answer")
    changed = await manager.update(made.id, Change(pin_message_id=ended.answer.id))
    assert list(changed.pinned_message_ids) == [ended.answer.id]


async def test_a_message_of_another_conversation_cannot_be_pinned(manager: Manager) -> None:
    made, other = await manager.create(), await manager.create()
    ended = await manager.memory(other.id).exchange("question", "answer")
    refused = await refusal(manager.update(made.id, Change(pin_message_id=ended.answer.id)))
    assert refused.reason == Reason.REASON_MESSAGE_NOT_FOUND
    assert refused.details["message_id"] == ended.answer.id


async def test_clearing_the_context_reaches_the_last_message(manager: Manager) -> None:
    made = await manager.create()
    cleared = await manager.update(made.id, Change(clear_context=True))
    assert cleared.context_cleared_through == 0
    await manager.memory(made.id).exchange("question", "answer")
    cleared = await manager.update(made.id, Change(clear_context=True))
    assert cleared.context_cleared_through == 2


async def test_a_change_needs_the_role_that_its_field_names(manager: Manager) -> None:
    made = await manager.create()
    poor = manager.colleague(user_id=manager.somebody.user_id, roles=frozenset({"chat.user"}))
    with poor.somebody.acts(poor.wiring):
        refused = await refusal(poor.update(made.id, Change(mode=ANALYSIS)))
        assert refused.details["role"] == "chat.mode.switch"
        assert (await poor.update(made.id, Change(title="allowed"))).title == "allowed"


async def test_the_log_tells_what_a_request_did(manager: Manager) -> None:
    made = await manager.create()
    await manager.update(made.id, ConversationChange(title="a"), request_id="req-1")
    await manager.update(made.id, ConversationChange(title="b"), request_id="req-2")
    (mine,) = (await manager.updates(made.id, request_id="req-1")).updates
    assert mine.change.title == "a"
    assert not (await manager.updates(made.id, request_id="req-3")).updates
