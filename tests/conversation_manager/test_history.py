"""Messages and turns are shown to participants only."""

from kari.conversation_manager.v1 import conversation_manager_pb2 as contract
from kari.conversation_models.v1.context_pb2 import (
    ContextCandidate,
    ContextManifest,
    ContextSource,
)
from kari.conversation_models.v1.conversation_pb2 import ConversationChange
from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.ids import new_id
from tests.conversation_manager.manager import Manager
from tests.production_memory.calling import asked, asking, ended, step
from tests.production_memory.memory import refusal

PAST_THREAD = ContextSource.CONTEXT_SOURCE_PAST_THREAD
RECENT = ContextSource.CONTEXT_SOURCE_RECENT
SUMMARY = ContextSource.CONTEXT_SOURCE_SUMMARY
VAULT = ContextSource.CONTEXT_SOURCE_VAULT


async def test_participants_read_messages_in_pages(manager: Manager) -> None:
    made = await manager.create()
    memory = manager.memory(made.id)
    await memory.exchange("question", "answer")
    running = (await memory.begin("and now?")).led_turn.turn
    request = contract.ListMessagesRequest(conversation_id=made.id, page_size=2)
    page = await manager.stub.ListMessages(request)
    assert [message.content for message in page.messages] == ["and now?", "answer"]
    assert page.active_turn == running
    request.page_token = page.next_page_token
    rest = await manager.stub.ListMessages(request)
    assert [message.content for message in rest.messages] == ["question"]


async def test_participants_read_turns_with_their_answers(manager: Manager) -> None:
    made = await manager.create()
    ended = await manager.memory(made.id).exchange("question", "answer")
    found = await manager.stub.GetTurn(contract.GetTurnRequest(turn_id=ended.turn.id))
    assert (found.turn, found.answer) == (ended.turn, ended.answer)


async def test_participants_see_what_a_turn_asks_and_which_tools_were_used(
    manager: Manager,
) -> None:
    made = await manager.create()
    memory = manager.memory(made.id)
    question, used = asked("mail.send", text_before="I will mail. "), ended(step("clock"))
    turn_id = await asking(memory, used, question)
    found = await manager.stub.GetTurn(contract.GetTurnRequest(turn_id=turn_id))
    assert list(found.turn.pending_steps) == [question]
    request = contract.ListMessagesRequest(conversation_id=made.id)
    assert (await manager.stub.ListMessages(request)).active_turn == found.turn
    await memory.cancel(turn_id)
    page = await manager.stub.ListMessages(request)
    assert [use.tool_id for use in page.messages[0].tools_called] == ["clock"]
    assert not page.HasField("active_turn")


async def test_participants_read_how_a_turn_s_prompt_came_about(manager: Manager) -> None:
    """A turn that has not come so far has no manifest."""
    made = await manager.create()
    memory = manager.memory(made.id)
    turn_id = (await memory.begin("question")).led_turn.turn.id
    request = contract.GetTurnManifestRequest(turn_id=turn_id)
    assert not (await manager.stub.GetTurnManifest(request)).HasField("manifest")
    manifest = ContextManifest(tokens=7, prompt_hash="abc")
    await memory.advance(turn_id, manifest=manifest)
    found = await manager.stub.GetTurnManifest(request)
    assert (found.turn.id, found.manifest) == (turn_id, manifest)


async def test_participants_are_not_told_of_what_is_another_s_alone(manager: Manager) -> None:
    """Which memories and which other conversations went into a prompt is its sender's to know."""
    made, colleague = await manager.create(), manager.colleague()
    memory = manager.memory(made.id)
    turn_id = (await memory.begin("question")).led_turn.turn.id
    here, there = made.id, new_id("conv")
    candidates = [
        ContextCandidate(source=VAULT, memory_id="mem_1", score=1.5),
        ContextCandidate(source=PAST_THREAD, message_id="msg_1", conversation_id=there),
        ContextCandidate(source=SUMMARY, summary_id="sum_1", conversation_id=there),
        ContextCandidate(source=SUMMARY, summary_id="sum_2", conversation_id=here),
        ContextCandidate(source=RECENT, message_id="msg_2"),
    ]
    await memory.advance(turn_id, manifest=ContextManifest(candidates=candidates))
    join = ConversationChange(add_participant_id=colleague.somebody.user_id)
    await manager.update(made.id, join)
    request = contract.GetTurnManifestRequest(turn_id=turn_id)
    mine = (await manager.stub.GetTurnManifest(request)).manifest
    assert list(mine.candidates) == candidates
    with colleague.somebody.acts(colleague.wiring):
        seen = (await colleague.stub.GetTurnManifest(request)).manifest.candidates
    assert [c.memory_id or c.message_id or c.summary_id for c in seen] == [
        *("", "", ""),
        *("sum_2", "msg_2"),
    ]
    assert seen[0].score == 1.5
    assert there not in str(seen)


async def test_a_colleague_who_takes_no_part_reads_nothing(manager: Manager) -> None:
    made, colleague = await manager.create(), manager.colleague()
    ended = await manager.memory(made.id).exchange("question", "answer")
    with colleague.somebody.acts(colleague.wiring):
        listing = contract.ListMessagesRequest(conversation_id=made.id)
        refused = await refusal(colleague.stub.ListMessages(listing))
        assert refused.reason == Reason.REASON_CONVERSATION_NOT_FOUND
        turn = contract.GetTurnRequest(turn_id=ended.turn.id)
        unknown = contract.GetTurnRequest(turn_id=new_id("turn"))
        seen = [await refusal(colleague.stub.GetTurn(each)) for each in (turn, unknown)]
        manifest = contract.GetTurnManifestRequest(turn_id=ended.turn.id)
        seen.append(await refusal(colleague.stub.GetTurnManifest(manifest)))
    assert {each.reason for each in seen} == {Reason.REASON_TURN_NOT_FOUND}
    assert len({each.message for each in seen}) == 1


async def test_a_new_conversation_has_no_messages(manager: Manager) -> None:
    made = await manager.create()
    request = contract.ListMessagesRequest(conversation_id=made.id)
    assert await manager.stub.ListMessages(request) == contract.ListMessagesResponse()
