"""Prompts of past turns, again: for whom, and what of them."""

from contextlib import AsyncExitStack
from dataclasses import replace

from kari.chat_orchestrator.v1.chat_orchestrator_pb2 import (
    ReplayContextRequest,
    ReplayContextResponse,
)
from kari.conversation_manager.v1.conversation_manager_pb2 import UpdateConversationRequest
from kari.conversation_models.v1.conversation_pb2 import ConversationChange
from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.ids import new_id
from servers.runtime.settings import Settings
from tests.chat_orchestrator.conftest import Stage, staged
from tests.hosting import Somebody
from tests.production_memory.memory import refusal


async def replayed(stage: Stage, turn_id: str, who: Somebody) -> ReplayContextResponse:
    """The prompt of a turn, for somebody."""
    with who.acts(stage.wiring):
        return await stage.orchestrator.ReplayContext(ReplayContextRequest(turn_id=turn_id))


async def changed(stage: Stage, conversation_id: str, who: Somebody, **change: str) -> None:
    """Somebody takes a user in, or lets one go."""
    request = UpdateConversationRequest(
        conversation_id=conversation_id,
        request_id=new_id("req"),
        changes=[ConversationChange(**change)],
    )
    with who.acts(stage.wiring):
        await stage.conversations.UpdateConversation(request)


async def quoting(stage: Stage) -> tuple[str, str]:
    """A conversation, and a turn in another one whose prompt quotes it."""
    await stage.play("the wombat lives in Perth")
    quoted = stage.conversation_id
    await stage.begin()
    turn = await stage.start("say where the wombat lives")
    await stage.events(turn)
    return quoted, turn.id


async def test_only_who_sent_the_message_is_given_the_prompt(
    stack: AsyncExitStack, settings: Settings
) -> None:
    """For all others there is no such turn, whether they take part or not."""
    stage = await staged(stack, settings)
    _, turn_id = await quoting(stage)
    again = await replayed(stage, turn_id, stage.user)
    assert again.identical
    assert "lives in Perth" in again.bundle.messages[0].content
    participant = replace(stage.user, user_id=new_id("user"))
    await changed(stage, stage.conversation_id, stage.user, add_participant_id=participant.user_id)
    strangers = (participant, replace(stage.user, user_id=new_id("user")), Somebody())
    refused = [await refusal(replayed(stage, turn_id, each)) for each in strangers]
    assert {each.reason for each in refused} == {Reason.REASON_TURN_NOT_FOUND}


async def test_what_may_not_be_read_any_more_is_missing(
    stack: AsyncExitStack, settings: Settings
) -> None:
    """Whoever was let go from a conversation reads nothing of it through old prompts."""
    stage = await staged(stack, settings)
    quoted, turn_id = await quoting(stage)
    colleague = replace(stage.user, user_id=new_id("user"))
    await changed(stage, quoted, stage.user, add_participant_id=colleague.user_id)
    await changed(stage, quoted, colleague, remove_participant_id=stage.user.user_id)
    again = await replayed(stage, turn_id, stage.user)
    assert not again.identical
    assert again.missing_ids
    assert "Perth" not in str(again.bundle)
