"""Commands through a real server, between peers that are real servers too."""

import grpc
import pytest

from kari.conversation_models.v1.conversation_pb2 import ConversationMode
from kari.conversation_models.v1.instruction_pb2 import InstructionStatus
from kari.conversation_models.v1.message_pb2 import MessageRole
from kari.conversation_models.v1.turn_pb2 import WhenBusy
from kari.errors.v1.errors_pb2 import Reason
from kari.instruction_processor.v1.instruction_processor_pb2 import ListCommandsRequest
from servers.runtime.errors import Conflict, KariError, Unavailable, from_rpc
from tests.instruction_processor.conftest import Desk

APPLIED = InstructionStatus.INSTRUCTION_STATUS_APPLIED


async def refusal(call: object) -> KariError:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call  # type: ignore[misc]
    return from_rpc(refused.value)


async def test_a_mode_switch_is_made_through_the_conversation_manager(desk: Desk) -> None:
    (result,) = (await desk.process("/set mode analysis")).results
    assert result.status == APPLIED
    assert result.text == "The mode is **analysis** now."
    assert desk.conversation.mode == ConversationMode.CONVERSATION_MODE_ANALYSIS
    assert not desk.orchestrator.started


async def test_the_rest_of_a_text_becomes_a_turn_with_what_was_done(desk: Desk) -> None:
    text = "/set mode code\n/title Sorting\nWrite a sort."
    response = await desk.process(text, model="m", when_busy=WhenBusy.WHEN_BUSY_ENQUEUE)
    (started,) = desk.orchestrator.started
    assert [i.action for i in started.instructions] == ["set", "title"]
    assert started.content == "Write a sort."
    assert (started.model, started.when_busy) == ("m", WhenBusy.WHEN_BUSY_ENQUEUE)
    assert response.turn.id == response.position.stream_id
    assert len(response.results) == 2


async def test_what_is_remembered_is_not_kept_with_the_turn_after_it(desk: Desk) -> None:
    """The vault redacts it and can forget it; a copy beside it could do neither."""
    response = await desk.process("/remember my card is 4111 1111 1111 1111\n/help set\nHello")
    (started,) = desk.orchestrator.started
    assert [i.action for i in started.instructions] == ["remember", "help"]
    assert not any(i.parameters for i in started.instructions)
    assert response.results[0].instruction.parameters["text"].startswith("my card")


async def test_a_repeated_request_changes_nothing_more_and_finds_the_same_turn(desk: Desk) -> None:
    text = "/pin answer\n/set mode code\nhello"
    desk.conversations.say(desk.conversation.id, MessageRole.MESSAGE_ROLE_ASSISTANT)
    first = await desk.process(text, "req-1")
    second = await desk.process(text, "req-1")
    assert first.turn.id == second.turn.id
    assert len(desk.conversations.updates) == 2
    assert len(desk.conversation.pinned_message_ids) == 1


async def test_each_line_has_a_request_id_of_its_own(desk: Desk) -> None:
    await desk.process("/title A\n/title B", "r" * 100)
    ids = {update.request_id for update in desk.conversations.updates}
    assert len(ids) == 2
    assert desk.conversation.title == "B"


async def test_a_persona_waits_for_a_confirmation(desk: Desk) -> None:
    (asked,) = (await desk.process("/persona expert tone=formal")).results
    assert asked.status == InstructionStatus.INSTRUCTION_STATUS_NEEDS_CONFIRMATION
    assert asked.instruction.requires_confirmation
    assert not desk.conversation.HasField("persona")
    answered = (await desk.answer(asked.proposal_id, accepted=True)).result
    assert answered.status == APPLIED
    assert desk.conversation.persona.traits["tone"] == "formal"


async def test_a_declined_persona_is_left(desk: Desk) -> None:
    (asked,) = (await desk.process("/persona expert")).results
    declined = (await desk.answer(asked.proposal_id, accepted=False)).result
    assert declined.status == InstructionStatus.INSTRUCTION_STATUS_DECLINED
    assert not desk.conversation.HasField("persona")
    again = await refusal(desk.answer(asked.proposal_id, accepted=True))
    assert again.reason == Reason.REASON_PROPOSAL_NOT_FOUND


async def test_pin_finds_the_message_that_is_meant(desk: Desk) -> None:
    said = desk.conversations.say
    answer = said(desk.conversation.id, MessageRole.MESSAGE_ROLE_ASSISTANT)
    question = said(desk.conversation.id, MessageRole.MESSAGE_ROLE_USER)
    await desk.process("/pin answer")
    await desk.process("/pin")
    assert desk.conversation.pinned_message_ids == [answer.id, question.id]
    await desk.process("/unpin")
    assert desk.conversation.pinned_message_ids == [answer.id]


async def test_pin_without_a_message_says_so(desk: Desk) -> None:
    for text in ("/pin", "/pin answer", "/unpin"):
        assert (await refusal(desk.process(text))).reason == Reason.REASON_MESSAGE_NOT_FOUND


async def test_status_and_other_questions_are_answered(desk: Desk) -> None:
    text = "/set mode creative\n/status\n/model\n/persona\n/system\n/participants\n/help\n/help set"
    results = (await desk.process(text)).results
    assert "**mode**: creative" in results[1].text
    assert "routing rules" in results[2].text
    assert "plain assistant" in results[3].text
    assert "no system instructions" in results[4].text
    assert desk.user.user_id in results[5].text
    assert "/participants" in results[6].text
    assert "Choices: chat, analysis" in results[7].text


async def test_nothing_is_done_if_any_line_is_wrong(desk: Desk) -> None:
    for wrong in ("/mdoel x", "/set mode nowhere", "/pin msg_1"):
        error = await refusal(desk.process(f"/title New\n{wrong}\nhello"))
        assert error.reason in (Reason.REASON_COMMAND_UNKNOWN, Reason.REASON_FIELD_INVALID)
    assert not desk.conversations.updates
    assert not desk.orchestrator.started


async def test_the_first_failure_stops_and_says_what_was_done(desk: Desk) -> None:
    busy = Conflict(Reason.REASON_VERSION_CONFLICT, "somebody else was first")
    desk.conversations.failures = [None, busy]
    error = await refusal(desk.process("/title New\n/set mode code\n/clear context\nhello"))
    assert error.reason == Reason.REASON_VERSION_CONFLICT
    assert error.details["done"] == "/title"
    assert "done before it: /title" in error.message
    assert desk.conversation.title == "New"
    assert not desk.orchestrator.started


async def test_a_turn_that_cannot_start_says_which_commands_were_done(desk: Desk) -> None:
    desk.orchestrator.failure = Unavailable(Reason.REASON_SHUTTING_DOWN, "stopping")
    error = await refusal(desk.process("/title New\nhello"))
    assert (error.reason, error.details["done"]) == (Reason.REASON_SHUTTING_DOWN, "/title")
    assert error.may_retry


async def test_a_user_without_the_role_is_refused_early(desk: Desk) -> None:
    plain = desk.mesh.user(user_id=desk.user.user_id, roles=frozenset({"chat.user"}))
    with plain:
        for text in ("/set mode code", "/model x", "/system x", "/persona x"):
            error = await refusal(desk.process(text))
            assert error.reason == Reason.REASON_ROLE_MISSING
        assert (await desk.process("/title Mine")).results
    assert len(desk.conversations.updates) == 1


async def test_a_conversation_of_somebody_else_is_not_there(desk: Desk) -> None:
    with desk.mesh.user():
        for text in ("/status", "/title Mine", "/pin", "/persona x"):
            error = await refusal(desk.process(text))
            assert error.reason == Reason.REASON_CONVERSATION_NOT_FOUND


async def test_the_list_of_commands_marks_those_the_caller_may_use(desk: Desk) -> None:
    with desk.mesh.user(roles=frozenset({"chat.user", "chat.mode.switch"})):
        listed = (await desk.stub.ListCommands(ListCommandsRequest())).commands
    allowed = {command.name: command.allowed for command in listed}
    assert sorted(allowed) == list(allowed)
    assert (allowed["set"], allowed["model"], allowed["help"]) == (True, False, True)
    assert next(c for c in listed if c.name == "persona").requires_confirmation


async def test_a_text_without_commands_is_a_turn(desk: Desk) -> None:
    response = await desk.process("just a message")
    assert response.turn.id
    assert [r.content for r in desk.orchestrator.started] == ["just a message"]
