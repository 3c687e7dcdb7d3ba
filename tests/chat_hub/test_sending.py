"""Messages in, through the real hub, to whom they are meant for."""

import grpc
import pytest

from kari.chat_hub.v1 import chat_hub_pb2 as pb
from kari.chat_hub.v1.chat_hub_pb2 import Destination
from kari.conversation_models.v1.message_pb2 import MessageRole
from kari.conversation_models.v1.turn_pb2 import StreamPosition, Turn
from kari.errors.v1.errors_pb2 import Reason
from kari.instruction_processor.v1.instruction_processor_pb2 import ProcessResponse
from servers.runtime.errors import Conflict, KariError, from_rpc
from servers.runtime.ids import new_id
from tests.chat_hub.conftest import House
from tests.stream_processor.conditions import metric

ROUTED = "kari_chat_routing_decisions_total"


async def refusal(call: object) -> KariError:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call  # type: ignore[misc]
    return from_rpc(refused.value)


async def test_a_message_starts_a_turn_at_the_orchestrator(house: House) -> None:
    before = metric(ROUTED, destination="orchestrator")
    response = await house.send("hello")
    (started,) = house.orchestrator.started
    assert response.destination == Destination.DESTINATION_ORCHESTRATOR
    assert response.turn.id == response.position.stream_id
    assert (response.conversation_id, started.content) == (house.conversation.id, "hello")
    assert metric(ROUTED, destination="orchestrator") == before + 1


async def test_everything_of_a_message_is_passed_on(house: House) -> None:
    request = pb.SendMessageRequest(
        conversation_id=house.conversation.id,
        content="hello",
        request_id="req-1",
        reply_to_message_id=new_id("msg"),
        mentioned_user_ids=[new_id("user")],
        when_busy=2,
        model="local/small",
    )
    await house.stub.SendMessage(request)
    (started,) = house.orchestrator.started
    for field in pb.SendMessageRequest.DESCRIPTOR.fields_by_name:
        assert getattr(started, field) == getattr(request, field)


async def test_a_command_goes_to_the_instruction_processor(house: House) -> None:
    turn = Turn(id=new_id("turn"), conversation_id=house.conversation.id)
    house.instructions.response = ProcessResponse(
        turn=turn, position=StreamPosition(stream_id=turn.id)
    )
    response = await house.send("/pin\nhello")
    assert response.destination == Destination.DESTINATION_INSTRUCTION_PROCESSOR
    assert response.turn.id == turn.id
    assert [p.content for p in house.instructions.processed] == ["/pin\nhello"]
    assert not house.orchestrator.started


async def test_commands_alone_start_no_turn(house: House) -> None:
    response = await house.send("/status")
    assert not response.HasField("turn")
    assert not response.HasField("position")


async def test_white_space_goes_nowhere_and_leaves_nothing(house: House) -> None:
    before = metric(ROUTED, destination="discard")
    response = await house.send(" \n\t ", conversation_id="")
    assert response.destination == Destination.DESTINATION_DISCARD
    assert not response.conversation_id
    assert len(house.conversations.conversations) == 1
    assert metric(ROUTED, destination="discard") == before + 1


async def test_a_message_without_a_conversation_begins_one_with_its_title(house: House) -> None:
    response = await house.send("How do trees grow?\nTell me.", conversation_id="")
    begun = house.conversations.conversations[response.conversation_id]
    assert begun.title == "How do trees grow?"
    assert house.orchestrator.started[0].conversation_id == begun.id


async def test_a_repeated_message_finds_the_same_conversation_and_turn(house: House) -> None:
    first = await house.send("hello", conversation_id="", request_id="r" * 100)
    second = await house.send("hello", conversation_id="", request_id="r" * 100)
    assert first.conversation_id == second.conversation_id
    assert first.turn.id == second.turn.id


async def test_a_message_to_a_conversation_of_somebody_else_is_refused(house: House) -> None:
    with house.mesh.user():
        error = await refusal(house.send("hello"))
        assert error.reason == Reason.REASON_CONVERSATION_NOT_FOUND
        assert (await refusal(house.send("/pin"))).reason == Reason.REASON_CONVERSATION_NOT_FOUND
    assert not house.orchestrator.started
    assert not house.instructions.processed


async def test_an_error_of_a_peer_reaches_the_client_as_it_is(house: House) -> None:
    house.orchestrator.failure = Conflict(Reason.REASON_TURN_ACTIVE, "busy", turn_id="turn_1")
    error = await refusal(house.send("hello"))
    assert error.reason == Reason.REASON_TURN_ACTIVE
    assert error.details["turn_id"] == "turn_1"


async def test_the_correlation_id_goes_along(house: House) -> None:
    with house.mesh.user(user_id=house.user.user_id, correlation_id="corr-9"):
        await house.send("hello")
    assert house.orchestrator.correlation_ids == ["corr-9"]


@pytest.mark.parametrize("field", ["content", "request_id", "conversation_id", "model"])
async def test_rubbish_is_refused_by_name(house: House, field: str) -> None:
    good = {"conversation_id": house.conversation.id, "content": "x", "request_id": "r"}
    bad = {"content": "x" * 100_001, "request_id": "", "conversation_id": "c", "model": "m" * 201}
    request = pb.SendMessageRequest(**{**good, field: bad[field]})
    error = await refusal(house.stub.SendMessage(request))
    assert error.reason == Reason.REASON_FIELD_INVALID
    assert error.violations[0][0] == field


async def test_a_turn_is_called_off_by_those_who_take_part(house: House) -> None:
    turn = house.turn()
    with house.mesh.user():
        error = await refusal(house.stub.CancelTurn(pb.CancelTurnRequest(turn_id=turn.id)))
        assert error.reason == Reason.REASON_TURN_NOT_FOUND
    assert not house.orchestrator.cancelled
    await house.stub.CancelTurn(pb.CancelTurnRequest(turn_id=turn.id))
    assert house.orchestrator.cancelled == [turn.id]


async def test_conversations_messages_turns_and_commands_are_passed_through(house: House) -> None:
    said = house.conversations.say(house.conversation.id, MessageRole.MESSAGE_ROLE_USER, "hi")
    stub, id_ = house.stub, house.conversation.id
    created = await stub.CreateConversation(pb.CreateConversationRequest(request_id="r", title="T"))
    listed = await stub.ListConversations(pb.ListConversationsRequest(page_size=10))
    got = await stub.GetConversation(pb.GetConversationRequest(conversation_id=id_))
    messages = await stub.ListMessages(pb.ListMessagesRequest(conversation_id=id_))
    commands = await stub.ListCommands(pb.ListCommandsRequest())
    turn = await stub.GetTurn(pb.GetTurnRequest(turn_id=house.turn().id))
    assert created.conversation.title == "T"
    assert [c.id for c in listed.conversations] == [id_, created.conversation.id]
    assert (listed.next_page_token, got.conversation.id) == ("more", id_)
    assert [m.id for m in messages.messages] == [said.id]
    assert not messages.HasField("active_turn")
    assert commands.commands[0].name == "help"
    assert not turn.HasField("answer")
